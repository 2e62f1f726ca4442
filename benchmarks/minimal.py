"""The yardstick: the smallest program that acknowledges a write when two logs hold it durably.

Two processes, a Unix socket, one preallocated log each.  A round takes ``depth`` records, appends
them to the own log and sends them; both sides sync; the answer of the other side ends the round.
No headers, no checksums, no volumes, no recovery: nothing that can be left out is in it.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from pathlib import Path

import attrs

_LOG_BYTES = 64 << 20


@attrs.frozen
class Rate:
    """One measurement; latencies in seconds, CPU in seconds over all processes that took part."""

    writes: int
    seconds: float
    p50_seconds: float
    p99_seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Return acknowledged writes in a second."""
        return self.writes / self.seconds

    @property
    def cpu_us_per_write(self) -> float:
        """Return microseconds of CPU for one write."""
        return self.cpu_seconds / self.writes * 1e6


def percentiles(latencies_seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    ordered = sorted(latencies_seconds)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def log_then_ack(folder: Path, block_bytes: int, depth: int, seconds: float) -> Rate:
    """Run the yardstick for a while; the logs are made in ``folder`` and removed."""
    ours, theirs = socket.socketpair()
    paths = [folder / "minimal-source.log", folder / "minimal-destination.log"]
    files = [_preallocated(path) for path in paths]
    round_bytes = block_bytes * depth
    child = os.fork()
    if child == 0:
        ours.close()
        _destination(theirs, files[1], round_bytes)
        os._exit(0)
    theirs.close()
    try:
        return _source(ours, files[0], round_bytes, depth, seconds, child)
    finally:
        for file in files:
            os.close(file)
        for path in paths:
            path.unlink()


def _preallocated(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    for offset in range(0, _LOG_BYTES, 1 << 20):
        os.pwrite(file, bytes(1 << 20), offset)
    os.fsync(file)
    return file


def _source(
    link: socket.socket, file: int, round_bytes: int, depth: int, seconds: float, child: int
) -> Rate:
    data = os.urandom(round_bytes)
    latencies: list[float] = []
    cpu_before = _cpu_seconds(resource.RUSAGE_SELF)
    offset, start = 0, time.perf_counter()
    now = start
    while now - start < seconds:
        link.sendall(data)
        os.pwrite(file, data, offset)
        os.fdatasync(file)
        _receive(link, bytearray(8), 8)
        before, now = now, time.perf_counter()
        latencies.append(now - before)
        offset = (offset + round_bytes) % (_LOG_BYTES - round_bytes)
    cpu = _cpu_seconds(resource.RUSAGE_SELF) - cpu_before
    link.close()
    _, _, usage = os.wait4(child, 0)
    p50, p99 = percentiles(latencies)
    cpu += usage.ru_utime + usage.ru_stime
    return Rate(len(latencies) * depth, now - start, p50, p99, cpu)


def _destination(link: socket.socket, file: int, round_bytes: int) -> None:
    data = bytearray(round_bytes)
    offset = 0
    while _receive(link, data, round_bytes):
        os.pwrite(file, data, offset)
        os.fdatasync(file)
        link.sendall(bytes(8))
        offset = (offset + round_bytes) % (_LOG_BYTES - round_bytes)


def _receive(link: socket.socket, into: bytearray, length: int) -> bool:
    view, have = memoryview(into), 0
    while have < length:
        count = link.recv_into(view[have:length])
        if count == 0:
            return False
        have += count
    return True


def _cpu_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
