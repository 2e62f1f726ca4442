"""Large holes of a first copy: looked at in growing parts, never at a writer's cost."""

from __future__ import annotations

import pytest

from srshell.engine import copier, pieces
from srshell.engine.volume_set import VolumeSet
from tests.unit.engine.sides import BLOCK, LIMITS, VOLUME_BYTES, Sides, on_sides
from tests.unit.engine.test_copier import same
from tests.unit.engine.test_short_runs import messages_of

_BLOCKS = VOLUME_BYTES // BLOCK
_LOOK = 4 * BLOCK


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pieces, copier):
        monkeypatch.setattr(module, "LOOK_BYTES", _LOOK)
    monkeypatch.setattr(copier, "LOOK_BYTES_MAX", 8 * _LOOK)


@pytest.mark.parametrize(
    ("data_at", "most", "lengths"),
    [
        (None, 32, [4, 16, 32, 12]),
        (None, 4, [4] * 16),
        (21, 32, [4, 16, 1, 30, 4, 8]),
    ],
)
def test_more_is_looked_at_behind_each_hole(
    data_at: int | None, most: int, lengths: list[int]
) -> None:
    """Behind data little again, for it lies in pieces."""

    async def test(pair: Sides) -> None:
        await pair.open()
        core = pair.a.core
        core.dirty.mark_all()
        if data_at is not None:
            pair.a.fill(data_at * BLOCK, b"x" * BLOCK)
        coming = pieces.pieces(core, 0, lambda: 8, lambda: most * BLOCK)
        found = [piece async for piece in coming]
        covered = [block for piece in found for block in blocks_of(piece)]
        assert covered == list(range(_BLOCKS))
        assert [piece.length // BLOCK for piece in found if piece.hole] == lengths

    on_sides(test)


def blocks_of(piece: pieces.Piece) -> list[int]:
    (offset, length) = piece.ranges[0]
    return list(range(offset // BLOCK, (offset + length) // BLOCK))


def test_of_a_hole_that_has_become_data_a_part_is_held_against_writers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest stays marked, and comes in the next round."""
    found = messages_of(monkeypatch)
    data_ranges = VolumeSet.data_ranges

    async def test(pair: Sides) -> None:
        await pair.open()
        looked: list[int] = []

        async def then_written(
            self: VolumeSet, volume: int, offset: int, length: int
        ) -> list[tuple[int, int]]:
            ranges = await data_ranges(self, volume, offset, length)
            if self is pair.a.core.volumes and length == 8 * _LOOK and not looked:
                looked.append(offset)
                pair.a.fill(offset + 6 * BLOCK, b"new" * BLOCK)
            return ranges

        monkeypatch.setattr(VolumeSet, "data_ranges", then_written)
        await pair.start()
        await pair.in_sync()
        assert looked
        await same(pair)
        start = looked[0]
        inside = [one for (one, *_) in found if start < one[0] < start + 8 * _LOOK]
        # What is read against writers goes in extents; a hole of the next round does not.
        assert max(length for _, length in inside) > LIMITS.extent_bytes

    on_sides(test)
