"""A link of a given length: a process between two sites that hands bytes on late.

Always true:

(1) Bytes come out as they went in and in order, half a round trip later, and up to a fiftieth of
    that more, drawn from a seed.
(2) Any number of bytes may be under way: distance is no lack of bandwidth.

The kernel of a test machine often has no netem, and timers of an event loop are too coarse for half
a millisecond; a thread that sleeps is not.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

from benchmarks.sockets import short_folder

_PIECE_BYTES = 1 << 20
_JITTER = 0.02
_SECONDS_TO_BEGIN = 10.0


def _carry(source: socket.socket, target: socket.socket, half_seconds: float, seed: int) -> None:
    """Hand on what one side says, late."""
    under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
    chance = random.Random(seed)

    def deliver() -> None:
        with suppress(OSError):
            while True:
                due, piece = under_way.get()
                time.sleep(max(0.0, due - time.perf_counter()))
                if not piece:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(piece)

    threading.Thread(target=deliver, daemon=True).start()
    piece = b"begin"
    while piece:
        try:
            piece = source.recv(_PIECE_BYTES)
        except OSError:
            piece = b""
        delay = half_seconds * (1 + _JITTER * chance.random())
        under_way.put((time.perf_counter() + delay, piece))


def _serve(socket_path: str, peer_path: str, half_seconds: float) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(socket_path)
    listening.listen()
    seed = 0
    while True:
        near, _ = listening.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(peer_path)
        except OSError:
            near.close()
            continue
        for source, target in ((near, far), (far, near)):
            seed += 1
            threading.Thread(
                target=_carry, args=(source, target, half_seconds, seed), daemon=True
            ).start()


@contextmanager
def distance(peer_address: str, round_trip_seconds: float) -> Iterator[str]:
    """Give the address at which ``peer_address`` is that far away; without distance, itself.

    Raises RuntimeError if the process between the two does not begin.
    """
    if not round_trip_seconds:
        yield peer_address
        return
    with short_folder() as folder:
        path = folder / "far.link"
        words = [str(path), peer_address.removeprefix("unix:"), str(round_trip_seconds / 2)]
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.distance", *words])
        try:
            end = time.perf_counter() + _SECONDS_TO_BEGIN
            while not path.exists():
                if process.poll() is not None or time.perf_counter() > end:
                    raise RuntimeError("the process that stands for a distance did not begin")
                time.sleep(0.01)
            yield f"unix:{path}"
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], float(sys.argv[3]))
