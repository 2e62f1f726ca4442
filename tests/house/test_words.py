"""What the project says about itself is true, finished, and free of one machine's addresses."""

import re
from pathlib import Path

import pytest

from tests.house import source_tree

# The tests of this folder spell the words out, so they are not searched themselves.
OWN_FOLDER = Path("tests/house")

FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.~/-])/(?:root|home/\w+|work|Users/\w+)(?:/|\b)"),
    "an index address": re.compile(
        r"https?://[^\s\"']*/simple\b|--(?:extra-)?index-url|find-links"
    ),
    "a design folder outside the project": re.compile(r"shared/design|\.\./shared\b"),
    "a mark of unfinished work": re.compile(r"\b(?:TODO|FIXME|XXX)\b|NotImplementedError"),
    "a merge conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}

# `srshell/model/states.py`, `docs/format.md`, `tests/unit/`: something of ours, named in prose.
_NAMED = re.compile(
    r"(?<![\w/.:-])"
    r"((?:srshell|tui|magics|tests|docs|labs|benchmarks|\.ci)/[\w./*-]*[\w*/]"
    r"|(?:README|CHANGELOG|CONTRIBUTING)\.md|pyproject\.toml|constraints\.txt|LICENSE|Makefile)"
)
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")
_MADE_BY_RUNNING = ("build/",)


@pytest.mark.parametrize("meaning", FORBIDDEN)
def test_no_file_contains(meaning: str) -> None:
    """Such words are true on one machine or one day only."""
    pattern = FORBIDDEN[meaning]
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1} {match.group()!r}"
        for path in source_tree.files()
        if OWN_FOLDER not in path.parents and (text := source_tree.text(path)) is not None
        for match in pattern.finditer(text)
    ]
    assert not found


def _exists(name: str) -> bool:
    if name.startswith(_MADE_BY_RUNNING):
        return True
    if "*" in name:
        return any(source_tree.ROOT.glob(name))
    return (source_tree.ROOT / name).exists()


def test_pages_name_only_files_that_exist() -> None:
    """Prose drifts: a renamed file must not live on in a page."""
    missing = [
        f"{path}: {name}"
        for path in source_tree.markdown_files()
        for name in _NAMED.findall(source_tree.text(path) or "")
        if not _exists(name)
    ]
    assert not missing


def test_links_between_pages_lead_somewhere() -> None:
    """A link is relative to the page it stands on."""
    missing = [
        f"{path}: {target}"
        for path in source_tree.markdown_files()
        for target in _LINK.findall(source_tree.text(path) or "")
        if not (source_tree.ROOT / path.parent / target).exists()
    ]
    assert not missing


def test_sources_name_only_pages_that_exist() -> None:
    """A docstring that sends the reader to a page keeps its promise."""
    page = re.compile(r"\bdocs/[\w./-]+\.md\b")
    missing = [
        f"{path}: {name}"
        for path in source_tree.files()
        if path.suffix in {".py", ".toml", ".tcss"} and OWN_FOLDER not in path.parents
        for name in page.findall(source_tree.text(path) or "")
        if not _exists(name)
    ]
    assert not missing


def test_pages_name_only_make_targets_that_exist() -> None:
    """`make demo` in a page is a promise too."""
    makefile = source_tree.text(Path("Makefile")) or ""
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        target
        for path in source_tree.markdown_files()
        for target in re.findall(
            r"(?:`|^\s*\$? ?)make ([a-z]+)", source_tree.text(path) or "", re.MULTILINE
        )
    }
    assert named <= targets
    assert {"demo", "test"} <= named


def test_every_python_file_begins_with_what_it_is_for() -> None:
    """The first line of a file is a sentence."""
    mute = [
        str(path)
        for path in source_tree.python_files()
        if not re.match(r'(?:#![^\n]*\n)?r?"""[A-Z`]', source_tree.text(path) or "")
    ]
    assert not mute
