"""How a client comes to an owner that many call at once: it waits, and not for ever."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from srshell.fabric.control_http import ControlHttp, OwnerGone, UnixConnection


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that takes nobody any more until somebody accepts."""
    with ExitStack() as crowd:
        listener = crowd.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(tmp_path / "api"))
        listener.listen(0)
        first = crowd.enter_context(socket.socket(socket.AF_UNIX))
        first.connect(str(tmp_path / "api"))
        yield listener


def test_who_comes_to_a_busy_owner_waits_until_it_accepts(
    tmp_path: Path, busy: socket.socket
) -> None:
    connection = UnixConnection(tmp_path / "api", 30.0)
    accepted: list[socket.socket] = []
    # It accepts once the other one waits, most of the time; sooner does not matter.
    later = threading.Timer(0.05, lambda: accepted.append(busy.accept()[0]))
    later.start()
    connection.connect()
    assert connection.sock.gettimeout() == 30.0
    later.join()
    connection.close()
    accepted[0].close()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("limit_seconds", [0.0, 0.02])
def test_an_owner_that_stays_busy_is_given_up(tmp_path: Path, limit_seconds: float) -> None:
    client = ControlHttp(tmp_path / "api")
    with pytest.raises(OwnerGone, match="so many wait"):
        client.get("hello", limit_seconds)
    client.close()
