"""Sockets lie where nobody else can reach them, under names that the system accepts."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.model.errors import SrError
from srshell.site.rundir import SOCKET_PATH_BYTES_MAX, run_directory, socket_path

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_fabric_with_a_short_path_holds_its_own_sockets(place: Path) -> None:
    """A person who looks into the directory finds all of the fabric there."""
    assert run_directory(place) == place / "run"
    assert _mode(place / "run") == 0o700


def test_a_long_path_is_answered_by_a_private_directory_elsewhere(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses the path of a socket above 107 bytes."""
    runtime, fabric = place / "r", place / ("x" * 90)
    runtime.mkdir()
    fabric.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    found = run_directory(fabric)
    assert found.parent == runtime / "srshell"
    assert (_mode(found), _mode(found.parent)) == (0o700, 0o700)
    assert run_directory(fabric) == found
    other = place / ("y" * 90)
    other.mkdir()
    assert run_directory(other) != found


def test_a_runtime_directory_that_is_too_long_or_missing_is_passed_over(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of the environment outlive the directories that they name."""
    fabric = place / ("x" * 90)
    fabric.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place / "gone"))
    found = run_directory(fabric)
    assert found.parent == Path(f"/tmp/srshell-{os.geteuid()}")  # noqa: S108
    found.rmdir()


def test_a_directory_that_others_may_enter_is_closed_to_them(place: Path) -> None:
    """Somebody may have unpacked the fabric with another umask."""
    (place / "run").mkdir(mode=0o755)
    assert _mode(run_directory(place)) == 0o700


def test_a_symbolic_link_in_place_of_the_directory_is_refused(place: Path) -> None:
    """It would lead our sockets to where somebody else wants them."""
    (place / "elsewhere").mkdir()
    (place / "run").symlink_to(place / "elsewhere")
    with pytest.raises(SrError, match="SR9006") as caught:
        run_directory(place)
    assert "is no directory" in caught.value.facts


@given(names=st.sets(NAMES, min_size=2, max_size=2), kind=st.sampled_from(["site", "link", "nbd"]))
def test_every_array_has_its_own_socket_with_a_short_path(names: set[str], kind: str) -> None:
    """The longest names are cut; two that begin alike must not meet."""
    directory = Path("/" + "d" * 75)
    paths = {socket_path(directory, name, kind) for name in names}
    assert len(paths) == 2
    assert all(len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX for path in paths)
