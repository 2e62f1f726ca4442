"""Space in the log ring: what is held, or what a superblock refers to, is never overwritten."""

from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srshell.replication.ring import SECTOR_BYTES, HeldFrame, Placement, Ring

RING_SECTORS = 16


def ring(sectors: int = RING_SECTORS) -> Ring:
    """Return an empty ring that has written nothing."""
    return Ring(sectors * SECTOR_BYTES, 0, 0, 1, 7)


def write(log: Ring, sectors: int, records: int = 1) -> Placement:
    """Place a frame and record it; its checksum is its first LSN."""
    placement = log.place(sectors * SECTOR_BYTES)
    assert placement is not None
    first_lsn = log.tail_lsn + 1
    frame = HeldFrame(
        first_lsn,
        first_lsn + records - 1,
        placement.position,
        sectors * SECTOR_BYTES,
        log.chain,
        first_lsn,
        100,
        b"",
    )
    log.append(frame, header_crc=1000 + first_lsn)
    return placement


def test_frames_follow_each_other() -> None:
    """No byte is left between them."""
    log = ring()
    assert write(log, 3) == Placement(0, 0, 0)
    assert write(log, 2) == Placement(3 * SECTOR_BYTES, 3 * SECTOR_BYTES, 0)
    assert log.free_bytes == 11 * SECTOR_BYTES


def test_a_frame_that_does_not_fit_before_the_end_begins_at_the_start() -> None:
    """The rest of the lap is covered by a wrap marker; positions go on growing."""
    log = ring()
    for _ in range(5):
        write(log, 3)
    log.forget_through(5)
    log.durable_head_position = log.head_position
    end = 15 * SECTOR_BYTES
    assert log.place(2 * SECTOR_BYTES) == Placement(16 * SECTOR_BYTES, end, SECTOR_BYTES)
    assert log.place(SECTOR_BYTES) == Placement(end, end, 0)


def test_a_full_ring_gives_no_place() -> None:
    """To the last sector, and not one beyond."""
    log = ring()
    write(log, RING_SECTORS)
    assert log.free_bytes == 0
    assert log.place(SECTOR_BYTES) is None


def test_the_wrap_counts_as_space() -> None:
    """Two free sectors are not enough for one if the other lies behind the end."""
    log = ring()
    for _ in range(3):
        write(log, 5)
    log.forget_through(1)
    log.durable_head_position = log.head_position
    assert log.free_bytes == 6 * SECTOR_BYTES
    assert log.place(6 * SECTOR_BYTES) is None
    assert log.place(5 * SECTOR_BYTES) is not None


def test_what_is_forgotten_is_free_only_when_a_superblock_says_so() -> None:
    """A crash before would make the old superblock refer to overwritten frames."""
    log = ring()
    write(log, RING_SECTORS)
    assert [frame.first_lsn for frame in log.forget_through(1)] == [1]
    assert log.place(SECTOR_BYTES) is None
    log.durable_head_position = log.head_position
    assert log.place(SECTOR_BYTES) is not None


def test_a_frame_is_forgotten_when_all_of_it_may_be() -> None:
    """A frame is read from its beginning or not at all."""
    log = ring()
    write(log, 1, records=3)
    assert log.forget_through(2) == []
    assert log.head_lsn == 1
    assert len(log.forget_through(3)) == 1
    assert log.head_lsn == 4


def test_the_head_is_where_a_scan_begins() -> None:
    """Position and checksum of the oldest frame; of the next one when there is none."""
    log = ring()
    assert (log.head_position, log.head_chain) == (0, 7)
    write(log, 1)
    write(log, 2)
    log.forget_through(1)
    assert (log.head_position, log.head_chain) == (SECTOR_BYTES, 1001)
    log.forget_through(2)
    assert (log.head_position, log.head_chain) == (3 * SECTOR_BYTES, 1002)


def test_a_cut_drops_the_newest_frames() -> None:
    """Their space stays used until the head passes: the next segment begins behind them."""
    log = ring()
    for _ in range(4):
        write(log, 2)
    assert [frame.first_lsn for frame in log.cut_after(2)] == [4, 3]
    assert log.tail_lsn == 2
    assert log.tail_position == 8 * SECTOR_BYTES


def test_a_cut_inside_a_frame_is_a_mistake() -> None:
    """Both sides have the same frames, so a common point is always a boundary."""
    log = ring()
    write(log, 1, records=3)
    with pytest.raises(AssertionError):
        log.cut_after(2)


def test_the_bytes_after_an_lsn_are_those_of_whole_frames() -> None:
    """What the peer still lacks, as far as it is in the log."""
    log = ring()
    for _ in range(3):
        write(log, 1, records=2)
    assert [log.bytes_after(lsn) for lsn in (0, 1, 2, 5, 6)] == [300, 300, 200, 100, 0]


@given(st.lists(st.integers(1, 4), max_size=12), st.integers(0, 60))
def test_the_frame_of_an_lsn_is_found(sizes: list[int], lsn: int) -> None:
    """By halving; compared with looking at each frame."""
    log = ring(len(sizes) + 1)
    for records in sizes:
        write(log, 1, records)
    log.forget_through(sum(sizes) // 2)
    expected = next((f for f in log.frames if f.first_lsn <= lsn <= f.last_lsn), None)
    assert log.find(lsn) == expected


@attrs.define
class Sectors:
    """Which sectors of the ring something still needs."""

    log: Ring

    def of(self, position: int, total_bytes: int) -> Iterator[int]:
        """Give the sectors of a stretch that begins at a position."""
        first = position // SECTOR_BYTES
        for sector in range(first, first + total_bytes // SECTOR_BYTES):
            yield sector % (self.log.ring_bytes // SECTOR_BYTES)

    def needed(self) -> set[int]:
        """Return the sectors from the durable head to the tail."""
        head = self.log.durable_head_position
        return set(self.of(head, self.log.tail_position - head))


ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 7)),
    st.tuples(st.just("forget"), st.integers(0, 40)),
    st.tuples(st.just("superblock"), st.just(0)),
    st.tuples(st.just("cut"), st.integers(0, 40)),
)


@given(st.lists(ACTIONS, max_size=60))
@settings(max_examples=200)
def test_no_order_of_steps_overwrites_what_is_needed(actions: list[tuple[str, int]]) -> None:
    """Neither a held frame, nor one that only the last superblock still refers to."""
    log = ring()
    sectors = Sectors(log)
    for action, number in actions:
        if action == "write":
            needed = sectors.needed()
            placement = log.place(number * SECTOR_BYTES)
            if placement is None:
                continue
            assert write(log, number) == placement
            new = set(sectors.of(placement.position, number * SECTOR_BYTES))
            wrap = set(sectors.of(placement.wrap_position, placement.wrap_bytes))
            assert not (new | wrap) & needed
            assert placement.position % log.ring_bytes + number * SECTOR_BYTES <= log.ring_bytes
        elif action == "forget":
            log.forget_through(number)
        elif action == "superblock":
            log.durable_head_position = log.head_position
        elif number >= log.head_lsn - 1:
            log.cut_after(number)
        lsns = [frame.first_lsn for frame in log.frames]
        assert lsns == list(range(log.head_lsn, log.tail_lsn + 1))
