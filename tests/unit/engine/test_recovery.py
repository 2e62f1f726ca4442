"""What reads the ring for a scan: the right bytes, not too many, and nothing left running."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from srshell.engine.recovery import _Reader
from srshell.model.replica import Superblock
from srshell.storage import StorageError
from tests.unit.codec.samples import SUPERBLOCK

_MIB = 1 << 20
_RING_BYTES = 24 * _MIB
_OFFSET = 8192
_RING = random.Random(1).randbytes(_RING_BYTES)


@attrs.define
class Ring:
    """Stands for a log's file; counts what is read of it."""

    bad_from: int = _RING_BYTES
    read_bytes: int = 0
    calls: int = 0
    running: int = 0

    async def read_at(self, offset: int, length: int) -> bytes:
        assert length > 0
        self.running += 1
        self.calls += 1
        self.read_bytes += length
        await asyncio.sleep(0)
        self.running -= 1
        offset -= _OFFSET
        assert 0 <= offset <= offset + length <= _RING_BYTES
        if offset + length > self.bad_from:
            raise StorageError("read", "log", "EIO", offset)
        return _RING[offset : offset + length]

    def reader(self) -> _Reader:
        superblock: Superblock = attrs.evolve(
            SUPERBLOCK, ring_offset=_OFFSET, ring_bytes=_RING_BYTES
        )
        return _Reader(self, superblock)  # type: ignore[arg-type]


def read_all(ring: Ring, wanted: list[tuple[int, int]]) -> None:
    async def main() -> None:
        reader = ring.reader()
        try:
            for offset, length in wanted:
                assert await reader.read(offset, length) == _RING[offset : offset + length]
        finally:
            await reader.close()
        assert ring.running == 0

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_requests_gets_what_the_ring_holds(seed: int) -> None:
    dice, wanted, at = random.Random(seed), [], 0
    for _ in range(100):
        length = dice.choice((4096, 4096, 24, 5000, 300_000, 2 * _MIB, 4 * _MIB))
        if dice.random() < 0.2 or at + length > _RING_BYTES:
            at = dice.randrange(_RING_BYTES - length)
        wanted.append((at, length))
        at += dice.choice((128, length, length, length + 40_000, 3 * _MIB))
        at = min(at, _RING_BYTES)
    read_all(Ring(), [one for one in wanted if sum(one) <= _RING_BYTES])


def test_what_follows_each_other_is_read_once_in_large_pieces() -> None:
    ring = Ring()
    step = 70_000
    read_all(ring, [(at, step) for at in range(0, _RING_BYTES - step, step)])
    assert ring.read_bytes <= _RING_BYTES
    assert ring.calls <= 16


def test_what_is_leapt_over_is_not_read() -> None:
    ring = Ring()
    read_all(ring, [(at, 4096) for at in range(0, _RING_BYTES, _MIB)])
    assert ring.read_bytes == _RING_BYTES // _MIB * (64 << 10)


def test_a_bad_place_that_nobody_wants_ends_nothing() -> None:
    ring = Ring(bad_from=_MIB)
    read_all(ring, [(0, 60_000), (60_000, 10_000)])
    with pytest.raises(StorageError):
        read_all(Ring(bad_from=_MIB), [(at, 60_000) for at in range(0, 2 * _MIB, 60_000)])


def test_a_scan_that_is_dropped_makes_no_loop() -> None:
    """A simulated process dies where none runs; a thread beside the first is given none."""
    with ThreadPoolExecutor(1) as thread:
        step = Ring().reader().close().__await__()
        assert thread.submit(next, step, "ended").result() == "ended"
