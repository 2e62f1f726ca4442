"""What a page tells a reader to type works as it stands, and prints what the page shows."""

import re
from pathlib import Path

import pytest

from tests.docs.fences import EXECUTED, KINDS, NOT_RUN, fences, matches, pages
from tests.docs.reader import Reader

_TYPED = re.compile(r"^\s*(?:\$ |>>> |In \[\d|srshell |make |import |%\w)", re.MULTILINE)
_WITH_COMMANDS = [page for page in pages() if any(f.kind in EXECUTED for f in fences(page))]


@pytest.mark.timeout(400)  # a page is one reader's half hour, on a machine that others use too
@pytest.mark.parametrize("page", _WITH_COMMANDS)
def test_what_the_page_says_works(page: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Block after block, as one reader in one terminal."""
    reader = Reader(tmp_path_factory.mktemp("p"))  # short: the paths of sockets are limited
    try:
        for fence in fences(page):
            if fence.kind in EXECUTED and not fence.not_run:
                assert reader.follow(fence) == []
    finally:
        reader.tidy()


def test_the_readme_is_among_the_pages_that_run() -> None:
    """Otherwise this file could pass by finding nothing."""
    assert "README.md" in _WITH_COMMANDS
    kinds = {fence.kind for fence in fences("README.md") if not fence.not_run}
    assert kinds >= {"sh", "console", "python", "ipython"}


@pytest.mark.parametrize("page", pages())
def test_every_block_has_a_kind_and_what_can_be_typed_is_run(page: str) -> None:
    """A block without a kind would never be executed."""
    for fence in fences(page):
        assert fence.kind in KINDS, str(fence)
        if fence.kind == "text":
            assert not _TYPED.search(fence.text), f"{fence}: what can be typed must be run"


def test_every_exception_still_stands_in_its_page() -> None:
    """A reason for a block that is gone would excuse the next one."""
    found = {fence.not_run for page in pages() for fence in fences(page)} - {""}
    assert found == set(NOT_RUN.values())


def test_every_fence_is_closed() -> None:
    """An open fence swallows the rest of its page."""
    for page in pages():
        text = (Path(__file__).parent.parent.parent / page).read_text(encoding="utf-8")
        assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(fences(page)), page


@pytest.mark.parametrize(
    ("shown", "printed", "equal"),
    [
        (("a b",), "a    b\n", True),
        (("after … s",), "after 0.2 s\n", True),
        (("a", "…", "d"), "a\nb\nc\nd\n", True),
        (("a",), "a\nb\n", False),
        (("RPO 0",), "RPO 1\n", False),
    ],
)
def test_an_ellipsis_stands_for_what_differs_and_nothing_else(
    shown: tuple[str, ...], printed: str, *, equal: bool
) -> None:
    assert matches(shown, printed) is equal
