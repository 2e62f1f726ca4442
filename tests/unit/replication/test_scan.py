"""Reading a log after a crash: what counts, where it ends, and whether by tear or by damage."""

from itertools import combinations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srshell.codec.log_frame import SECTOR_BYTES
from srshell.replication.scan import Ending, LogScan
from tests.unit.replication.logs import LogImage

ONE, TWO, THREE = 100, 5000, 9000  # payload bytes of frames of one, two and three sectors
RING_SECTORS = 16


def lsns(scan: LogScan) -> list[int]:
    """Return the LSNs that the scan counts, and check the records beside them."""
    assert [record.lsn for record in scan.records] == [f.first_lsn for f in scan.frames]
    for record in scan.records:
        assert bytes(record.payload) == bytes([record.lsn % 251]) * record.length
    return [record.lsn for record in scan.records]


def ends(log: LogImage) -> tuple[int, Ending | None]:
    """Return the last LSN of a log, and how it ends."""
    scan = log.scan()
    lsns(scan)
    return scan.tail_lsn, scan.ending


def test_a_new_log_is_empty() -> None:
    """Nothing but zeros: the end is a tear before the first LSN."""
    assert ends(LogImage()) == (0, Ending.TEAR)


def test_what_was_written_is_read_back() -> None:
    """Frames of one batch and of several, in order, with their payloads."""
    log = LogImage()
    log.append(ONE, THREE)
    log.append(TWO)
    scan = log.scan()
    assert lsns(scan) == [1, 2, 3]
    assert (scan.position, scan.chain) == (log.ring.tail_position, log.ring.chain)


def test_a_scan_begins_at_the_head_of_the_superblock() -> None:
    """What lies before it was applied, and may be overwritten."""
    log = LogImage()
    log.append(ONE, ONE, ONE)
    log.persist(forget_lsn=2)
    log.damage_at(0)
    assert lsns(log.scan()) == [3]


def read_as_known(log: LogImage, lsn: int) -> tuple[LogScan, int]:
    """Scan a log of which the volumes hold all up to an LSN; return how many bytes it wanted."""
    scan, wanted_bytes = LogScan(log.superblock, lsn), 0
    while scan.wanted is not None:
        offset, length = scan.wanted.offset, scan.wanted.length
        wanted_bytes += length if scan.ahead_bytes < 0 else 0
        scan.feed(memoryview(log.image)[offset : offset + length])
    return scan, wanted_bytes


def test_of_what_the_volumes_hold_only_the_tables_are_read() -> None:
    log = LogImage()
    log.append(THREE, TWO)
    log.append(ONE)
    whole, most_bytes = read_as_known(log, 0)
    scan, wanted_bytes = read_as_known(log, 2)
    assert [record.lsn for record in scan.records] == [3]
    assert (scan.frames, scan.position, scan.chain) == (whole.frames, whole.position, whole.chain)
    assert wanted_bytes == most_bytes - THREE - TWO
    assert read_as_known(log, 3)[0].ending is Ending.TEAR


@pytest.mark.parametrize(("known_lsn", "tail_lsn"), [(0, 0), (1, 3)])
def test_a_payload_that_the_volumes_hold_is_verified_when_a_peer_needs_it(
    known_lsn: int, tail_lsn: int
) -> None:
    log = LogImage()
    log.append(THREE)
    log.append(ONE, ONE)
    log.damage(0, sectors=[1])
    scan, _ = read_as_known(log, known_lsn)
    assert scan.tail_lsn == tail_lsn
    assert scan.ending is (Ending.TEAR if tail_lsn else Ending.DAMAGE)


@pytest.mark.parametrize("byte", [128, 128 + 8, 128 + 23])
def test_a_damaged_table_is_missed_whatever_the_volumes_hold(byte: int) -> None:
    log = LogImage()
    log.append(ONE)
    log.append(ONE)
    log.image[byte] ^= 1
    scan, _ = read_as_known(log, 2)
    assert (scan.tail_lsn, scan.ending) == (0, Ending.DAMAGE)


# Tears.


@pytest.mark.parametrize(
    "keep", [keep for size in range(4) for keep in combinations(range(4), size)]
)
def test_a_torn_batch_ends_the_log_at_its_first_gap(keep: tuple[int, ...]) -> None:
    """Any of its sectors may have reached the disk; the frame before the batch stays."""
    log = LogImage()
    log.append(ONE)
    log.append(THREE, ONE, keep=keep)
    whole = {0, 1, 2} <= set(keep)
    assert ends(log) == (2 if whole else 1, Ending.TEAR)


def test_frames_of_one_batch_do_not_vouch_for_each_other() -> None:
    """Both were under way: the second says nothing about the first being durable."""
    log = LogImage()
    log.append(ONE, ONE, keep={1})
    assert ends(log) == (0, Ending.TEAR)


def test_a_torn_wrap_marker_is_a_tear() -> None:
    """It belongs to the frame that it makes room for, in the same batch."""
    log = wrapped(keep={1, 2})
    assert ends(log) == (8, Ending.TEAR)


def wrapped(keep: set[int] | None = None) -> LogImage:
    """Return a log whose ninth frame did not fit before the ring's end, and begins at its start."""
    log = LogImage()
    for _ in range(7):
        log.append(TWO)
    log.persist(forget_lsn=5)
    log.append(ONE)
    log.append(TWO, keep=keep)
    assert log.ring.frames[-1].position == RING_SECTORS * SECTOR_BYTES
    return log


# Damage.


def test_a_frame_that_the_superblock_calls_durable_is_missed() -> None:
    """Proof one: nothing is shortened silently."""
    log = LogImage()
    log.append(ONE, ONE)
    log.persist()
    log.damage(1)
    assert ends(log) == (1, Ending.DAMAGE)


def test_a_frame_before_a_later_segment_is_missed() -> None:
    """Proof two: the segment was begun behind it."""
    log = LogImage()
    log.append(ONE, ONE)
    log.reopen()
    log.superblock = attrs.evolve(log.superblock, durable_lsn=0)
    log.damage(1)
    assert ends(log) == (1, Ending.DAMAGE)


@pytest.mark.parametrize("sector", [0, 1, 2])
def test_a_frame_that_a_later_frame_calls_durable_is_missed(sector: int) -> None:
    """Proof three: each frame says what was durable when it was written."""
    log = LogImage()
    log.append(ONE)
    log.append(THREE)
    log.append(ONE)
    log.damage(1, [sector])
    assert ends(log) == (1, Ending.DAMAGE)


def test_the_proof_is_found_behind_the_end_of_the_ring() -> None:
    """The frame after a damaged last one of a lap begins at the start."""
    log = wrapped()
    log.damage(len(log.ring.frames) - 2)
    assert ends(log)[1] is Ending.DAMAGE


def test_a_damaged_wrap_marker_is_missed() -> None:
    """Without it nobody knows that the log goes on at the start."""
    log = wrapped()
    log.append(ONE)
    log.damage_at(15)
    assert ends(log)[1] is Ending.DAMAGE


# What does not count.


def test_the_stale_tail_of_an_older_opening_is_not_read() -> None:
    """It has the right LSNs and sound checksums, and the wrong salt."""
    log = LogImage()
    log.append(ONE)
    log.append(ONE, ONE, keep={1})
    assert log.reopen().tail_lsn == 1
    log.append(ONE)
    assert ends(log) == (2, Ending.TEAR)


def test_a_stale_frame_of_the_last_lap_is_not_read() -> None:
    """Its LSN is far below the next one."""
    log = LogImage()
    for lsn in range(1, 41):
        log.append(ONE)
        log.persist(forget_lsn=lsn - 3)
    assert lsns(log.scan()) == [38, 39, 40]


def test_a_frame_that_continues_another_one_is_not_read() -> None:
    """The right salt and the right LSN do not make it the next frame of this log."""
    log = LogImage()
    log.append(ONE)
    log.ring.chain ^= 1
    log.append(ONE)
    assert ends(log) == (1, Ending.TEAR)


def test_a_log_of_another_partnership_is_not_read() -> None:
    """A log volume that was used before is not blank."""
    log = LogImage()
    log.append(ONE)
    log.superblock = attrs.evolve(log.superblock, partnership="f" * 32)
    assert ends(log) == (0, Ending.TEAR)


# Segments.


def test_a_cut_ends_the_old_segment_where_the_new_one_begins() -> None:
    """The records after it are whole, and no longer part of the log."""
    log = LogImage()
    log.append(ONE, ONE, ONE, ONE)
    log.cut(2)
    assert ends(log) == (2, Ending.TEAR)
    log.append(TWO)
    scan = log.scan()
    assert lsns(scan) == [1, 2, 3]
    assert scan.frames[-1].total_bytes == 2 * SECTOR_BYTES


def test_openings_that_write_nothing_leave_no_trace() -> None:
    """A site that crashes again and again before its first write."""
    log = LogImage()
    log.append(ONE)
    for _ in range(5):
        log.reopen()
    assert len(log.superblock.segments) == 2
    log.append(ONE)
    assert ends(log) == (2, Ending.TEAR)


def test_an_empty_log_is_opened_again_and_again() -> None:
    """Everything was given up, and the head points behind it."""
    log = LogImage()
    log.append(ONE, ONE)
    log.persist(forget_lsn=2)
    for _ in range(3):
        assert log.reopen().tail_lsn == 2
    log.append(ONE)
    assert lsns(log.scan()) == [3]


def test_a_head_behind_its_segments_wrap_marker_is_believed() -> None:
    """The marker is before the head: the ring may have overwritten it."""
    log = LogImage()
    for _ in range(7):
        log.append(TWO)
    log.append(ONE)
    log.persist(forget_lsn=8)
    log.reopen()
    assert log.append(TWO)
    log.persist()
    assert log.superblock.head_position > log.superblock.segments[0].position
    while log.append(ONE):
        pass
    assert log.ring.free_bytes == 0
    assert lsns(log.scan()) == [frame.first_lsn for frame in log.ring.frames]
    assert log.scan().ending is Ending.TEAR


def test_a_full_ring_ends_where_it_begins() -> None:
    """The next place is the head, whose LSN is not the next one."""
    log = LogImage()
    for _ in range(RING_SECTORS):
        assert log.append(ONE)
    assert not log.append(ONE)
    assert ends(log) == (RING_SECTORS, Ending.TEAR)


ACTIONS: st.SearchStrategy[tuple[str, list[int]]] = st.one_of(
    st.tuples(
        st.just("append"), st.lists(st.sampled_from([ONE, TWO, THREE]), min_size=1, max_size=3)
    ),
    st.tuples(st.just("tear"), st.lists(st.integers(0, 9), max_size=8)),
    st.tuples(st.just("forget"), st.lists(st.integers(0, 8), min_size=1, max_size=1)),
    st.tuples(st.just("cut"), st.lists(st.integers(0, 8), min_size=1, max_size=1)),
    st.tuples(st.just("reopen"), st.just([])),
)


@given(st.lists(ACTIONS, max_size=40))
@settings(max_examples=300)
def test_after_any_crash_the_log_is_all_that_was_durable(
    actions: list[tuple[str, list[int]]],
) -> None:
    """Nothing durable is missed, nothing cut or lost comes back, no tear is called damage."""
    log = LogImage()
    written: dict[int, int] = {}
    for action, numbers in actions:
        durable_lsn = log.durable_lsn
        match action:
            case "append":
                sizes = numbers
                if log.append(*sizes):
                    written.update(enumerate(sizes, durable_lsn + 1))
            case "tear":
                sizes = [THREE, ONE, TWO]
                if log.append(*sizes, keep=numbers):
                    written.update(enumerate(sizes, durable_lsn + 1))
                scan = log.reopen()
                assert durable_lsn <= scan.tail_lsn <= durable_lsn + 3
            case "forget":
                log.persist(forget_lsn=durable_lsn - numbers[0])
            case "cut":
                log.cut(max(log.ring.head_lsn - 1, durable_lsn - numbers[0]))
            case _:
                assert log.reopen().tail_lsn == durable_lsn
        scan = log.scan()
        assert scan.ending is Ending.TEAR
        assert lsns(scan) == list(range(log.superblock.head_lsn, log.ring.tail_lsn + 1))
        assert [record.length for record in scan.records] == [written[n] for n in lsns(scan)]
