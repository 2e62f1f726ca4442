"""Sockets and directories of ours: their modes, whatever the umask and whatever lay there."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

import srshell
from srshell.export.unix_socket import PrivateSocket
from srshell.fabric.access import Access, shared_socket
from srshell.fabric.control_server import listening_socket
from srshell.fabric.place import FabricPlace, find_place
from srshell.model.errors import SrError
from srshell.site import rundir, server
from srshell.transport import stream_network
from tests import needs

NOBODY: Final = 65_534

#: Every way in which a socket of ours comes into being.
MAKERS: Final[dict[str, Callable[[Path], socket.socket]]] = {
    "control": listening_socket,
    "site": server._listen,
    "link": lambda path: stream_network._bind_unix(str(path)),
    "nbd": lambda path: PrivateSocket.bind(path).take(),
}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        yield Path(name)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_socket_is_private_under_any_umask(place: Path, maker: str, mask: int) -> None:
    """The mode is there from the first moment, and the umask is as it was afterwards."""
    with umask(mask):
        MAKERS[maker](place / "s").close()
        assert os.umask(mask) == mask
    assert stat.S_IMODE((place / "s").lstat().st_mode) == 0o600


@pytest.mark.parametrize("maker", MAKERS)
def test_a_socket_is_never_open_to_others_on_its_way(
    place: Path, maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No chmod afterwards mends what was open before."""
    seen: list[int] = []
    bind = socket.socket.bind

    class Watched(socket.socket):
        def bind(self, address: object) -> None:
            bind(self, address)  # type: ignore[arg-type]
            seen.append(stat.S_IMODE((place / "s").lstat().st_mode))

    monkeypatch.setattr(socket, "socket", Watched)
    with umask(0):
        MAKERS[maker](place / "s").close()
    assert seen == [0o600]


@pytest.mark.parametrize("maker", ["link", "nbd"])
@pytest.mark.parametrize("kind", ["file", "link", "directory", "fifo"])
def test_what_lies_in_the_way_is_left_alone(place: Path, maker: str, kind: str) -> None:
    """Only a dead socket is taken over; a link is never followed."""
    path, elsewhere = place / "s", place / "elsewhere"
    elsewhere.write_text("mine")
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(OSError):  # noqa: PT011 - whichever the system says
        MAKERS[maker](path).close()
    assert elsewhere.read_text() == "mine"
    assert path.is_symlink() == (kind == "link")


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o770, 0o711, 0o000])
def test_the_directory_of_the_sockets_is_closed_to_others(place: Path, mode: int) -> None:
    """Also one that was there with another mode."""
    (place / "run").mkdir()
    (place / "run").chmod(mode)
    assert rundir.run_directory(place) == place / "run"
    assert stat.S_IMODE((place / "run").stat().st_mode) == 0o700


@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_the_directory_of_the_sockets_is_made_under_any_umask(place: Path, mask: int) -> None:
    with umask(mask):
        rundir.run_directory(place)
    assert stat.S_IMODE((place / "run").stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["link", "file", "dangling", "fifo"])
def test_sockets_lie_in_no_directory_of_somebody_else(place: Path, kind: str) -> None:
    """Whoever planted it would hold our sockets."""
    run, elsewhere = place / "run", place / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    if kind == "link":
        run.symlink_to(elsewhere)
    elif kind == "dangling":
        run.symlink_to(place / "nowhere")
    elif kind == "file":
        run.touch()
    else:
        os.mkfifo(run)
    with pytest.raises(SrError, match="SR9006"):
        rundir.run_directory(place)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


@needs.root()
def test_a_directory_that_another_user_owns_is_refused(place: Path) -> None:
    """He could take our sockets away and put his own there."""
    (place / "run").mkdir()
    os.chown(place / "run", NOBODY, -1)
    with pytest.raises(SrError, match="SR9006") as refused:
        rundir.run_directory(place)
    assert f"user {NOBODY}" in refused.value.facts


@needs.root()
@pytest.mark.parametrize(
    ("mode", "owner", "group", "refused"),
    [
        (0o700, 0, 0, False),
        (0o755, 0, 0, False),
        (0o775, 0, 0, False),
        (0o775, 0, NOBODY, True),
        (0o770, 0, NOBODY, True),
        (0o777, 0, 0, True),
        (0o1777, 0, 0, True),
        (0o702, 0, 0, True),
        (0o700, NOBODY, 0, True),
    ],
)
def test_a_fabric_lives_where_nobody_else_can_write(
    place: Path, mode: int, owner: int, group: int, refused: bool
) -> None:
    """Who can put another owner.json there would be every client's owner."""
    home = place / "home"
    home.mkdir()
    os.chown(home, owner, group)
    home.chmod(mode)
    if not refused:
        FabricPlace(home).make()
        return
    with pytest.raises(SrError, match="SR9006"):
        FabricPlace(home).make()


@needs.root()
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o757])
def test_a_socket_for_others_lies_where_nobody_can_replace_it(place: Path, mode: int) -> None:
    """Not in /tmp, either: there anybody could be first."""
    os.chown(place, 0, NOBODY)
    place.chmod(mode)
    with pytest.raises(SrError, match="SR9009"):
        shared_socket(Access(place / "s", ("bin",)))
    assert not (place / "s").exists()


@needs.root()
def test_a_socket_for_one_group_is_open_to_that_group_alone(place: Path) -> None:
    """With a token or several groups it is open to all, and the kernel's word decides."""
    listener = shared_socket(Access(place / "s", ("bin",)))
    assert listener is not None
    listener.close()
    status = (place / "s").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, 2)
    both = shared_socket(Access(place / "t", ("bin",), ("sys",)))
    assert both is not None
    both.close()
    assert stat.S_IMODE((place / "t").stat().st_mode) == 0o666


def test_no_socket_is_abstract() -> None:
    """An abstract one has no mode, and no directory that keeps others out."""
    with pytest.raises((OSError, ValueError)):
        PrivateSocket.bind(Path("\0abstract"))


def test_a_socket_names_a_fabric_of_another_user(place: Path) -> None:
    """Its directory is not looked at, and no owner is started for it."""
    listening_socket(place / "s").close()
    found = find_place(place / "s")
    assert found.shared_socket == place / "s"
    assert found.read_card() == {"socket": str(place / "s")}


def test_everything_that_an_owner_makes_is_private(place: Path) -> None:
    """A real owner with real sites under a umask that hides nothing."""
    for name in ("east", "west"):
        (place / name).mkdir()
    home = place / "fabric"
    with umask(0), srshell.connect(home) as fabric:
        try:
            for array, name in (("A", "east"), ("B", "west")):
                fabric.discover(str(place / name), array)
                fabric.classify(f"{array}/PoolA", "gold")
            fabric.pair("A", "B")
            fabric.provision("vol", on="A/PoolA", size="1M")
            fabric.nbd("vol")
            open_ones = [
                f"{path} {stat.S_IMODE(mode):o}"
                for path in (home, *home.rglob("*"), *(place / "east").iterdir())
                if (mode := path.lstat().st_mode) & 0o077
            ]
            assert open_ones == []
            assert sum(path.is_socket() for path in home.rglob("*")) >= 7
        finally:
            fabric.stop_owner()
