"""Measure the link to another site and the disk of a pool, and answer who measures us.

Always true:

(1) Nothing that anybody owns is written: bytes go to a file without a name, which the system takes
    away when this process lets go of it or ends, and to a peer that drops them.
(2) A measurement ends by itself; a peer that stops answering ends it early.
(3) It goes the ways that replication goes: the address, the network and the disk are the same.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.codec.messages import Extent, ExtentStored, Ping, Pong
from srshell.model.inventory import PoolKind
from srshell.model.topology import DiskMeasure, LinkMeasure, Spread
from srshell.site.api import FaultKind, PoolUsage
from srshell.site.faults import SLOW_DISK_SECONDS, Faults
from srshell.site.store import Store
from srshell.transport import Link, LinkClosed, Network

_BLOCK_BYTES: Final = 4096
_SMALL_BYTES: Final = 8192
_TOGETHER: Final = 4
_PIECE_BYTES: Final = 1024**2
_SCRATCH_BYTES: Final = 64 * 1024**2
#: At most this part of what is free is written to.
_FREE_PART: Final = 10
_EXTENT_BYTES: Final = 256 * 1024
#: Extents on the way at once.
_WINDOW: Final = 16
_SLICE_SECONDS: Final = 0.1
_PING_PAUSE_SECONDS: Final = 0.002
_SILENCE_SECONDS: Final = 10.0


class MeasureVerbs(ABC):
    """What can be measured once the site is open."""

    _network: Network
    _store: Store
    _faults: Faults

    async def measure_link(self, address: str, seconds: float) -> LinkMeasure:
        """See `SiteApi.measure_link`."""
        self._check_open()
        try:
            link = await self._network.connect(address)
        except LinkClosed as refused:
            return LinkMeasure(problem=refused.reason)
        try:
            async with asyncio.timeout(seconds + _SILENCE_SECONDS):
                times = await _round_trips(link, seconds / 2)
                return await _bandwidth(link, seconds / 2, Spread.of(times))
        except TimeoutError:
            return LinkMeasure(problem=f"the peer did not answer within {_SILENCE_SECONDS:g} s")
        except LinkClosed as closed:
            return LinkMeasure(problem=closed.reason)
        finally:
            link.close()

    async def measure_disk(self, pool: str, seconds: float) -> DiskMeasure:
        """See `SiteApi.measure_disk`."""
        self._check_open()
        usage = await self._store.pool(pool).usage()
        known = DiskMeasure(usage.name, usage.path, usage.device, usage.free_bytes)
        if usage.kind is PoolKind.VOLUME:
            return attrs.evolve(known, problem="a block device has no room for a scratch file")
        size_bytes = min(_SCRATCH_BYTES, usage.free_bytes // _FREE_PART)
        size_bytes -= size_bytes % _PIECE_BYTES
        if not size_bytes:
            return attrs.evolve(known, problem="there is no room for a scratch file")
        try:
            return await asyncio.to_thread(self._scratch, usage, known, size_bytes, seconds)
        except OSError as error:
            return attrs.evolve(known, problem=error.strerror or str(error))

    def _scratch(
        self, usage: PoolUsage, known: DiskMeasure, size_bytes: int, seconds: float
    ) -> DiskMeasure:
        """Write, in a thread, for some seconds."""

        def commit(file: int, pieces: list[bytes], offset: int) -> None:
            os.pwritev(file, pieces, offset)
            os.fdatasync(file)
            if self._faults.active(FaultKind.SLOW_DISK):
                # As a disk that is slow on request: once for the write, once for the sync.
                time.sleep(2 * SLOW_DISK_SECONDS)

        file = _nameless(Path(usage.path))
        try:
            os.posix_fallocate(file, 0, size_bytes)
            third = seconds / 3
            block, small, piece = (
                os.urandom(n) for n in (_BLOCK_BYTES, _SMALL_BYTES, _PIECE_BYTES)
            )
            flushes = _timed(file, [block], size_bytes, third, commit)
            smalls = _timed(file, [small] * _TOGETHER, size_bytes, third, commit)
            pieces = _timed(file, [piece], size_bytes, third, commit)
        finally:
            os.close(file)
        return attrs.evolve(
            known,
            scratch_bytes=size_bytes,
            flush=Spread.of(flushes),
            small_writes_per_second=_TOGETHER * len(smalls) / sum(smalls),
            bytes_per_second=_PIECE_BYTES * len(pieces) / sum(pieces),
        )

    @abstractmethod
    def _check_open(self) -> None:
        """Refuse while the site ends."""


def _nameless(directory: Path) -> int:
    """Open a file that has no name, or has lost it before anything is written."""
    with suppress(OSError):
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    file, path = tempfile.mkstemp(prefix=".srshell-scratch-", dir=directory)
    Path(path).unlink()
    return file


def _timed(
    file: int,
    pieces: list[bytes],
    size_bytes: int,
    seconds: float,
    commit: Callable[[int, list[bytes], int], None],
) -> list[float]:
    """Write pieces one behind the other, round and round; how long each commit took."""
    length = sum(len(piece) for piece in pieces)
    times: list[float] = []
    end, offset = time.perf_counter() + seconds, 0
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        commit(file, pieces, offset)
        times.append(time.perf_counter() - began)
        offset = offset + length if offset + 2 * length <= size_bytes else 0
    return times


async def _round_trips(link: Link, seconds: float) -> list[float]:
    """Ping, one at a time."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        link.send(Ping(time.monotonic_ns(), 0))
        await link.receive()
        times.append(time.perf_counter() - began)
        await asyncio.sleep(_PING_PAUSE_SECONDS)
    return times


async def _bandwidth(link: Link, seconds: float, round_trip: Spread) -> LinkMeasure:
    """Send pieces, a window of them at a time, and count those that were taken."""
    payload = os.urandom(_EXTENT_BYTES)
    sent = stored = 0
    course: list[float] = []
    began = turned = time.perf_counter()
    counted = 0
    while not stored or time.perf_counter() - began < seconds:
        while sent - stored < _WINDOW:
            sent += 1
            link.send(Extent(sent, 0, 0, _EXTENT_BYTES, 0, zero=False), [payload])
        await link.receive()
        stored += 1
        now = time.perf_counter()
        if now - turned >= _SLICE_SECONDS:
            course.append((stored - counted) * _EXTENT_BYTES / (now - turned))
            counted, turned = stored, now
    took = time.perf_counter() - began
    return LinkMeasure(round_trip, stored * _EXTENT_BYTES / took, tuple(course))


async def answer_probe(link: Link, first: Ping) -> None:
    """Answer a site that measures the link to us; what it sends is dropped."""
    with suppress(TimeoutError, LinkClosed):
        link.send(Pong(first.sent_ns, 0, 0))
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message, _ = await link.receive()
            match message:
                case Ping(sent_ns=sent_ns):
                    link.send(Pong(sent_ns, 0, 0))
                case Extent(sequence=sequence):
                    link.send(ExtentStored(sequence))
                case _:
                    break
    link.close()
