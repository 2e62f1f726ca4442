"""Short runs of marked blocks: many in one message, under one lock each, with one sync for many."""

from __future__ import annotations

import attrs
import pytest

from srshell.engine.arrivals import Arrivals
from srshell.engine.copier import Copier
from srshell.engine.pieces import LOOK_BYTES, Piece, pieces
from srshell.engine.volume_set import Range
from srshell.replication.source import Phase
from srshell.simulation import Operation
from tests.unit.engine.sides import BLOCK, LIMITS, VOLUME, Sides, on_sides, volume_path
from tests.unit.engine.test_copier import SMALL_LOG, same

_BLOCKS = range(0, 60, 2)


async def scattered(pair: Sides) -> None:
    """Without the peer, write every other block so often that the log keeps none of them."""
    await pair.sync()
    await pair.lose_peer()
    for number in (*_BLOCKS, *_BLOCKS):
        await pair.a.write(number * BLOCK, bytes([number + 1]) * BLOCK)
    await pair.until(lambda: pair.a.core.dirty.count() > len(_BLOCKS) // 2)


def messages_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Range, ...]]:
    """Note the ranges of each message that copies something."""
    found: list[tuple[Range, ...]] = []
    send = Copier._send_extent

    def noted(
        self: Copier, volume: int, ranges: tuple[Range, ...], parts: list[bytes] | None
    ) -> None:
        found.append(tuple(ranges))
        send(self, volume, ranges, parts)

    monkeypatch.setattr(Copier, "_send_extent", noted)
    return found


def test_scattered_blocks_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as an extent holds."""
    found = messages_of(monkeypatch)

    async def test(pair: Sides) -> None:
        await scattered(pair)
        found.clear()
        pair.mend()
        await pair.in_sync()
        await same(pair)

    on_sides(test, limits=SMALL_LOG)
    together = LIMITS.extent_bytes // BLOCK
    assert max(map(len, found)) == together
    assert len(found) <= len(_BLOCKS) // 2


def test_zeros_among_scattered_blocks_are_not_sent() -> None:
    async def test(pair: Sides) -> None:
        await scattered(pair)
        before = pair.a.report.copied_bytes_total
        for number in (4, 8, 10, 40):
            await pair.a.do(pair.a.replica.zero(VOLUME, number * BLOCK, BLOCK))
        await pair.a.settle()
        marked = pair.a.core.dirty.count()
        pair.mend()
        await pair.in_sync()
        await same(pair)
        assert pair.a.report.copied_bytes_total - before < marked * BLOCK

    on_sides(test, limits=SMALL_LOG)


@pytest.mark.parametrize("seed", range(4))
def test_writes_into_scattered_blocks_are_not_lost_under_their_copy(seed: int) -> None:
    async def test(pair: Sides) -> None:
        await scattered(pair)
        pair.mend()
        number = 0
        while pair.a.source.phase is not Phase.LIVE:
            place = _BLOCKS[(7 * number + seed) % len(_BLOCKS)] * BLOCK
            await pair.a.write(place + number % 3, bytes([number % 255 + 1]) * 100)
            number += 1
        await pair.in_sync()
        await same(pair)
        assert number > 3

    on_sides(test, limits=SMALL_LOG, seed=seed)


def test_every_run_of_a_piece_is_locked_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write into any of them would be lost under what was read before."""
    seen: list[int] = []
    send_locked = Copier._send_locked

    async def looked(self: Copier, piece: Piece) -> None:
        locks = self._committer.locked
        assert all((piece.volume, *one) in locks for one in piece.ranges)
        seen.append(len(piece.ranges))
        await send_locked(self, piece)
        assert all((piece.volume, *one) in locks for one in piece.ranges)

    monkeypatch.setattr(Copier, "_send_locked", looked)

    async def test(pair: Sides) -> None:
        await scattered(pair)
        pair.mend()
        await pair.in_sync()
        assert pair.a.replica.committer.locked == []

    on_sides(test, limits=SMALL_LOG)
    assert max(seen) > 1


@pytest.mark.parametrize("writing", [False, True])
def test_bytes_under_way_are_bounded(monkeypatch: pytest.MonkeyPatch, writing: bool) -> None:
    """By what a link may hold; by two extents beside writers, however small the pieces are."""
    limits = attrs.evolve(SMALL_LOG, extent_bytes=32 * 1024, extents_in_flight=1)
    most = 0
    send = Copier._send_extent

    def noted(
        self: Copier, volume: int, ranges: tuple[Range, ...], parts: list[bytes] | None
    ) -> None:
        nonlocal most
        send(self, volume, ranges, parts)
        most = max(most, sum(one.cost_bytes for one in self._in_flight))
        for one in self._in_flight:
            size_bytes = sum(length for _, length in one.ranges)
            assert one.cost_bytes >= min(size_bytes, limits.extent_bytes)

    monkeypatch.setattr(Copier, "_send_extent", noted)
    monkeypatch.setattr(Copier, "_beside_writers", writing)

    async def test(pair: Sides) -> None:
        await scattered(pair)
        pair.b.disk.slow_seconds = (0.01, 0.01)
        pair.mend()
        await pair.in_sync()
        pair.b.disk.slow_seconds = (0.0, 0.0)
        await same(pair)

    on_sides(test, limits=limits)
    assert 0 < most <= (2 if writing else 4) * limits.extent_bytes


def test_one_sync_serves_many_extents(monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives during a sync waits for the next one, all together."""
    taken = 0
    take = Arrivals.take

    def counted(self: Arrivals, message: object, payload: bytes) -> None:
        nonlocal taken
        taken += 1
        take(self, message, payload)  # type: ignore[arg-type]

    monkeypatch.setattr(Arrivals, "take", counted)

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"older" * 40_000)
        syncs = 0

        def slow_syncs(operation: Operation) -> None:
            nonlocal syncs
            slow = (operation.name, operation.path) == ("sync", volume_path("B"))
            syncs += slow
            pair.b.disk.slow_seconds = (0.02, 0.02) if slow else (0.0, 0.0)

        pair.b.disk.before = slow_syncs
        await pair.start()
        await pair.in_sync()
        pair.b.disk.before = None
        await same(pair)
        assert taken > 8
        assert syncs <= taken // 2

    on_sides(test)


def test_pieces_cover_what_is_marked_and_nothing_twice() -> None:
    """Short runs, a long one between them, holes, and the short last block."""

    async def test(pair: Sides) -> None:
        await pair.open()
        core = pair.a.core
        core.dirty.clear_all()
        pair.a.fill(8 * BLOCK, b"x" * 5 * BLOCK)
        marked = [0, 2, 4, *range(8, 20), 30, 32]
        for block in marked:
            core.dirty.mark(0, block * BLOCK, BLOCK)
        found = [piece async for piece in pieces(core, 0, lambda: 8, lambda: LOOK_BYTES)]
        assert found == [
            Piece(0, ((0, BLOCK), (2 * BLOCK, BLOCK), (4 * BLOCK, BLOCK))),
            Piece(0, ((8 * BLOCK, 4 * BLOCK),)),
            Piece(0, ((12 * BLOCK, BLOCK),)),
            Piece(0, ((13 * BLOCK, 7 * BLOCK),), hole=True),
            Piece(0, ((30 * BLOCK, BLOCK), (32 * BLOCK, BLOCK))),
        ]

    on_sides(test)
