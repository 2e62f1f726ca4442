"""What a volume tells about its holes is true."""

from hypothesis import given
from hypothesis import strategies as st

from srshell.export.device import RangeFlag
from srshell.site.backing import with_holes
from tests.unit.site.hosting import Fabric

_HOLE = RangeFlag.HOLE | RangeFlag.ZERO
_PLACES = st.tuples(st.integers(0, 60), st.integers(1, 20))


@given(offset=st.integers(0, 50), length=st.integers(1, 50), data=st.lists(_PLACES, max_size=8))
def test_exactly_what_no_data_covers_is_a_hole(
    offset: int, length: int, data: list[tuple[int, int]]
) -> None:
    """Data that is told to be a hole would be left out of a copy."""
    covered = {place for start, size in data for place in range(start, start + size)}
    ranges = with_holes(offset, length, sorted(data))
    told = [flags for size, flags in ranges for _ in range(size)]
    assert told == [
        RangeFlag(0) if place in covered else _HOLE for place in range(offset, offset + length)
    ]
    assert all(size > 0 for size, _ in ranges)


async def test_a_volume_of_a_replica_tells_holes_too(fabric: Fabric) -> None:
    """Copying an empty volume of a terabyte must not read a terabyte."""
    a, _ = await fabric.in_sync()
    volume = a._store.volume("volA")
    assert await volume.ranges(0, 8 << 20) == [(8 << 20, _HOLE)]
    await a.write("volA", 65536, b"x" * 4096)
    assert await volume.ranges(0, 8 << 20) == [
        (65536, _HOLE),
        (4096, RangeFlag(0)),
        ((8 << 20) - 65536 - 4096, _HOLE),
    ]
