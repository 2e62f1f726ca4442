"""What stands for a distance changes no byte, and none is early; how late it is, nobody asserts."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.distance import distance, round_trips
from benchmarks.sockets import short_folder
from tests import needs

pytestmark = needs.tools("cc")

_ROUND_TRIP_SECONDS = 0.02
_PATIENCE_SECONDS = 30.0
_BYTES = 12 << 20  # more than the sockets between hold


@contextmanager
def far_peer(kind: str = "unix") -> Iterator[tuple[str, socket.socket]]:
    """A socket that listens, and the address at which it is far away."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with short_folder() as folder, socket.socket(family) as peer:
        peer.settimeout(_PATIENCE_SECONDS)
        path = str(folder / "peer")
        peer.bind(path if kind == "unix" else ("127.0.0.1", 0))
        peer.listen()
        place = path if kind == "unix" else f"127.0.0.1:{peer.getsockname()[1]}"
        with distance(f"{kind}:{place}", _ROUND_TRIP_SECONDS) as address:
            yield address, peer


@contextmanager
def dialled(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(_PATIENCE_SECONDS)
        end.connect(address.removeprefix("unix:"))
        yield end


@contextmanager
def accepted(peer: socket.socket) -> Iterator[socket.socket]:
    end, _ = peer.accept()
    with end:
        end.settimeout(_PATIENCE_SECONDS)
        yield end


def all_of(end: socket.socket) -> bytes:
    pieces = []
    while piece := end.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_bytes_come_out_as_they_went_in_to_their_end(kind: str) -> None:
    with far_peer(kind) as (address, peer), dialled(address) as near, accepted(peer) as far:
        there, back = os.urandom(_BYTES), os.urandom(1000)
        far.sendall(back)
        far.shutdown(socket.SHUT_WR)
        near.sendall(there)  # nobody reads: it is under way, however much
        near.shutdown(socket.SHUT_WR)
        assert all_of(far) == there
        assert all_of(near) == back


def test_no_byte_is_early_though_others_are_under_way() -> None:
    with far_peer() as (address, peer), dialled(address) as near, accepted(peer) as far:
        sent: list[float] = []
        for number in range(50):
            sent.append(time.perf_counter())
            near.sendall(bytes([number]))
        came = b""
        while len(came) < len(sent):
            piece = far.recv(100)
            for number in piece:
                assert time.perf_counter() - sent[number] >= _ROUND_TRIP_SECONDS / 2
            came += piece
        assert came == bytes(range(50))


def test_a_round_trip_is_never_shorter_than_it_should_be() -> None:
    assert min(round_trips(0.002, 4200, 20)) >= 0.002


def test_who_dials_a_peer_that_is_not_there_is_hung_up() -> None:
    with far_peer() as (address, peer):
        peer.close()
        with dialled(address) as near:
            assert near.recv(1) == b""


def test_a_peer_that_dies_takes_the_link_with_it_and_the_next_one_is_reached() -> None:
    with far_peer() as (address, peer):
        with dialled(address) as near:
            peer.accept()[0].close()
            assert near.recv(1) == b""
        with dialled(address) as near, accepted(peer) as far:
            near.sendall(b"again")
            assert far.recv(5) == b"again"


def test_where_nothing_is_far_nothing_stands_between() -> None:
    with distance("unix:/peer", 0.0) as address:
        assert address == "unix:/peer"


def test_what_cannot_begin_says_so() -> None:
    with pytest.raises(RuntimeError, match="did not begin"), distance("unix:/peer", -0.001):
        raise AssertionError
