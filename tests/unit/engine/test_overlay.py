"""Records that are not in the volumes yet: a read shows the newest acknowledged one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from srshell.codec.log_frame import Record, RecordKind
from srshell.engine.overlay import BLOCK_BYTES, Overlay, patch

VOLUME_BYTES = 6 * BLOCK_BYTES


def write(lsn: int, offset: int, payload: bytes, volume: int = 0) -> Record:
    return Record(lsn, RecordKind.WRITE, volume, offset, len(payload), payload)


def read(overlay: Overlay, offset: int, length: int, through_lsn: int, volume: int = 0) -> bytes:
    """Read from a volume of dots, as `VolumeAccess.read` does."""
    return patch(b"." * length, offset, overlay.covering(volume, offset, length, through_lsn))


def test_the_newest_record_up_to_the_acknowledged_one_wins() -> None:
    overlay = Overlay()
    for lsn, byte in enumerate((b"a", b"b", b"c"), 1):
        overlay.add(write(lsn, 0, byte * 4))
    assert [read(overlay, 0, 4, lsn) for lsn in range(4)] == [b"....", b"aaaa", b"bbbb", b"cccc"]


def test_records_that_overlap_in_part_show_each_their_own_bytes() -> None:
    overlay = Overlay()
    overlay.add(write(1, 0, b"aaaaaa"))
    overlay.add(write(2, 2, b"bb"))
    overlay.add(write(3, 4, b"cccc"))
    assert read(overlay, 0, 10, 3) == b"aabbcccc.."
    assert read(overlay, 3, 3, 3) == b"bcc"


def test_a_record_over_a_block_boundary_is_found_from_either_side() -> None:
    overlay = Overlay()
    overlay.add(write(1, BLOCK_BYTES - 1, b"ab"))
    assert read(overlay, BLOCK_BYTES - 1, 1, 1) == b"a"
    assert read(overlay, BLOCK_BYTES, 1, 1) == b"b"
    assert overlay.covering(0, 0, 2 * BLOCK_BYTES, 1) == [overlay.records[0]]


def test_trimmed_and_zeroed_ranges_read_as_zeros() -> None:
    for kind in (RecordKind.ZERO, RecordKind.TRIM):
        overlay = Overlay()
        overlay.add(write(1, 0, b"aaaa"))
        overlay.add(Record(2, kind, 0, 1, 2))
        assert read(overlay, 0, 4, 2) == b"a\0\0a"
        assert read(overlay, 0, 4, 1) == b"aaaa"


def test_volumes_do_not_see_each_other() -> None:
    overlay = Overlay()
    overlay.add(write(1, 0, b"aa", volume=1))
    assert read(overlay, 0, 2, 1) == b".."
    assert read(overlay, 0, 2, 1, volume=1) == b"aa"


def test_memory_in_use_is_what_the_payloads_take() -> None:
    overlay = Overlay()
    overlay.add(write(1, 0, bytes(100)))
    overlay.add(write(2, 0, bytes(30)))
    assert overlay.payload_bytes == 130
    overlay.remove_oldest()
    assert overlay.payload_bytes == 30
    overlay.remove_newest()
    assert overlay.payload_bytes == 0
    assert not overlay._blocks


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int]:
    offset = draw(st.integers(0, VOLUME_BYTES - 1))
    return offset, draw(st.integers(1, min(VOLUME_BYTES - offset, 2 * BLOCK_BYTES)))


class OverlayBesideBytes(RuleBasedStateMachine):
    """Any order of writes, destages and cuts: a read is what a plain volume would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.overlay = Overlay()
        self.applied = bytearray(VOLUME_BYTES)
        #: What the volume would hold with every record up to an LSN applied.
        self.versions: dict[int, bytes] = {0: bytes(VOLUME_BYTES)}
        self.lsn = 0

    @rule(place=ranges(), byte=st.integers(1, 255), kind=st.sampled_from(RecordKind))
    def write(self, place: tuple[int, int], byte: int, kind: RecordKind) -> None:
        offset, length = place
        before = bytearray(self.versions[self.lsn])
        self.lsn += 1
        payload = bytes([byte]) * length if kind is RecordKind.WRITE else b""
        self.overlay.add(Record(self.lsn, kind, 0, offset, length, payload))
        before[offset : offset + length] = payload or bytes(length)
        self.versions[self.lsn] = bytes(before)

    @rule()
    def destage(self) -> None:
        if self.overlay.records:
            self.applied[:] = self.versions[self.overlay.records[0].lsn]
            self.overlay.remove_oldest()

    @rule()
    def cut(self) -> None:
        if self.overlay.records:
            self.overlay.remove_newest()
            del self.versions[self.lsn]
            self.lsn -= 1

    @rule(place=ranges(), back=st.integers(0, 3))
    def read(self, place: tuple[int, int], back: int) -> None:
        offset, length = place
        oldest = self.overlay.records[0].lsn - 1 if self.overlay.records else self.lsn
        lsn = max(oldest, self.lsn - back)
        records = self.overlay.covering(0, offset, length, lsn)
        data = patch(bytes(self.applied[offset : offset + length]), offset, records)
        assert data == self.versions[lsn][offset : offset + length]

    @invariant()
    def nothing_is_kept_for_nothing(self) -> None:
        indexed = {record.lsn for pieces in self.overlay._blocks.values() for record in pieces}
        assert indexed in (set(), {record.lsn for record in self.overlay.records})
        assert self.overlay.payload_bytes == sum(len(r.payload) for r in self.overlay.records)


TestOverlayBesideBytes = OverlayBesideBytes.TestCase
TestOverlayBesideBytes.settings = settings(max_examples=20, stateful_step_count=25)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(1, 40))
def test_a_patch_changes_the_bytes_that_both_cover_and_no_others(
    at: int, length: int, offset: int, size: int
) -> None:
    patched = patch(b"." * length, at, [write(1, offset, b"x" * size)])
    expected = bytes(
        ord("x") if offset <= byte < offset + size else ord(".") for byte in range(at, at + length)
    )
    assert patched == expected
