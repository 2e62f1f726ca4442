"""A link of a given length: a process between two sites that hands bytes on late (`distance.c`).

Always true:

(1) Bytes come out as they went in and in order, half a round trip later; what the process adds of
    its own is measured by `python -m benchmarks.distance`.
(2) Any number of bytes may be under way: distance is no lack of bandwidth.

The kernel of a test machine often has no netem, and a process in Python wakes late by a part of a
millisecond.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.sockets import short_folder
from benchmarks.yardstick import build, percentiles

_ROUNDS = 200
_ROUND_TRIPS_MS = (0.5, 1, 5, 20)
_SIZES_BYTES = (64, 4200)


@contextmanager
def distance(peer_address: str, round_trip_seconds: float) -> Iterator[str]:
    """Give the address at which ``peer_address`` is that far away; without distance, itself.

    Raises RuntimeError if the process between the two cannot be built or does not begin.
    """
    if not round_trip_seconds:
        yield peer_address
        return
    with short_folder() as folder:
        address = f"unix:{folder / 'far.link'}"
        delay_ns = round(round_trip_seconds / 2 * 1e9)
        words = [str(build("distance.c")), address, peer_address, str(delay_ns)]
        # It ends when its input does.
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                if process.stdout is None or not process.stdout.readline():
                    raise RuntimeError("the process that stands for a distance did not begin")
                yield address
            finally:
                process.kill()


def round_trips(round_trip_seconds: float, size_bytes: int, rounds: int) -> list[float]:
    """Send pieces there and back and return the seconds of each way there and back.

    Both ends are in one thread that never sleeps: what is found is distance, and what hands on.
    """
    found: list[float] = []
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "peer.link"))
        listening.listen()
        with (
            distance(f"unix:{folder / 'peer.link'}", round_trip_seconds) as address,
            socket.socket(socket.AF_UNIX) as near,
        ):
            near.connect(address.removeprefix("unix:"))
            far, _ = listening.accept()
            with far:
                near.setblocking(False)
                far.setblocking(False)
                for _ in range(rounds):
                    before = time.perf_counter()
                    far.sendall(_taken(near, far, bytes(size_bytes)))
                    _receive(near, size_bytes)
                    found.append(time.perf_counter() - before)
    return found


def _taken(near: socket.socket, far: socket.socket, data: bytes) -> bytes:
    near.sendall(data)
    return _receive(far, len(data))


def _receive(end: socket.socket, size_bytes: int) -> bytes:
    found = b""
    while len(found) < size_bytes:
        try:
            piece = end.recv(size_bytes - len(found))
        except BlockingIOError:
            continue
        if not piece:
            raise RuntimeError("the process that stands for a distance has ended")
        found += piece
    return found


def _print_errors() -> None:
    print("round trip ms, bytes: what is added to it, us: p50, p99")
    for ms in _ROUND_TRIPS_MS:
        for size_bytes in _SIZES_BYTES:
            p50, p99 = percentiles(round_trips(ms / 1000, size_bytes, _ROUNDS))
            print(f"{ms:6g} {size_bytes:6} {p50 * 1e6 - ms * 1e3:8.0f} {p99 * 1e6 - ms * 1e3:8.0f}")


if __name__ == "__main__":
    _print_errors()
