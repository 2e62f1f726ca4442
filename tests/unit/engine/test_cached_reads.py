"""Reads that need no device show what all other reads show."""

import errno

import pytest

from srshell.model.errors import SrError
from srshell.simulation.handle import SimHandle
from tests.unit.engine.sides import BLOCK, VOLUME, Side, Sides, on_sides


def read_cached(side: Side, offset: int, length: int) -> bytes | bytearray | None:
    return side.replica.access.read_cached(VOLUME, offset, length)


def test_records_that_are_not_applied_yet_are_seen() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"a" * BLOCK)
        await pair.a.settle()
        await pair.a.write(100, b"b" * 100)
        await pair.a.write(BLOCK - 1, b"cc")
        for offset, length in ((0, BLOCK), (0, 2 * BLOCK), (150, 1), (BLOCK, 1)):
            assert read_cached(pair.a, offset, length) == await pair.a.read(offset, length)
        await pair.a.settle()
        assert read_cached(pair.a, 99, 3) == b"abb"

    on_sides(test)


def test_a_write_that_is_not_acknowledged_is_not_seen() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"old")
        pair.cut()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"new"))
        await pair.until(lambda: pair.a.report.durable_lsn == 2)
        assert read_cached(pair.a, 0, 3) == b"old"
        pair.mend()
        await writing
        assert read_cached(pair.a, 0, 3) == b"new"

    on_sides(test)


def test_only_who_leads_shows_anything() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        with pytest.raises(SrError, match="SR9224"):
            read_cached(pair.b, 0, 1)
        with pytest.raises(SrError, match="SR9223"):
            read_cached(pair.a, 1 << 40, 1)

    on_sides(test)


def test_an_error_of_the_device_fails_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does when another read meets it: it is neither tried again nor passed over."""

    def broken(_handle: SimHandle, _length: int, _offset: int) -> bytearray:
        raise OSError(errno.EIO, "unreadable")

    async def test(pair: Sides) -> None:
        await pair.sync()
        monkeypatch.setattr(SimHandle, "pread_cached", broken)
        with pytest.raises(SrError, match="SR9220"):
            read_cached(pair.a, 0, 1)
        assert "EIO" in pair.a.report.failure
        with pytest.raises(SrError):
            await pair.a.read(0, 1)

    on_sides(test)


def test_what_is_not_in_memory_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"logged")
        monkeypatch.setattr(SimHandle, "pread_cached", lambda *_: None)
        assert read_cached(pair.a, 0, 6) is None
        assert await pair.a.read(0, 6) == b"logged"

    on_sides(test)
