"""Log frames: what goes in comes out, nothing is copied, and nothing foreign is taken."""

import itertools
import struct
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import log_frame
from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import FrameBody, Record, RecordKind
from tests.unit.codec import samples

ROW = struct.Struct("<BBHIQII")


@st.composite
def record_lists(draw: st.DrawFn) -> list[Record]:
    """One to eight records with consecutive LSNs."""
    first_lsn = draw(st.integers(1, 2**62))
    records = []
    for lsn in range(first_lsn, first_lsn + draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(RecordKind))
        is_write = kind is RecordKind.WRITE
        payload = draw(st.binary(min_size=1, max_size=300)) if is_write else b""
        length = len(payload) if is_write else draw(st.integers(1, 2**32 - 1))
        volume = draw(st.integers(0, 2**16 - 1))
        offset = draw(st.integers(0, 2**63 - 1 - length))
        records.append(Record(lsn, kind, volume, offset, length, payload))
    return records


def received(body: FrameBody) -> FrameBody:
    """Send a body to the other side."""
    return log_frame.body_from_bytes(
        body.epoch, body.first_lsn, body.record_count, b"".join(body.buffers), body.body_crc
    )


def forged(table: bytes, payloads: bytes = b"", record_count: int = 1) -> FrameBody:
    """Take a body whose table checksum is right, as a faulty writer would have made it."""
    return log_frame.body_from_bytes(1, 1, record_count, table + payloads, crc32(table))


def resealed(header: bytes, change: Callable[[bytearray], None]) -> bytes:
    """Change a header and give it the right checksum again."""
    data = bytearray(header[: log_frame.HEADER_BYTES])
    change(data)
    data[124:128] = crc32(bytes(data[:124])).to_bytes(4, "little")
    return bytes(data)


def put(offset: int, layout: str, value: int) -> Callable[[bytearray], None]:
    """Return a change that stores one number."""
    return lambda data: struct.pack_into(layout, data, offset, value)


@given(record_lists(), st.integers(0, 2**63 - 1))
def test_records_come_back_from_the_other_side(records: list[Record], epoch: int) -> None:
    """The packed body and the received one are the same records and the same bytes."""
    body = log_frame.pack_body(epoch, records[0].lsn, records)
    assert body.last_lsn == records[-1].lsn
    assert log_frame.unpack_records(body) == tuple(records)
    assert log_frame.unpack_records(received(body)) == tuple(records)


@given(
    record_lists(),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
)
def test_a_header_comes_back_as_it_was_stamped(
    records: list[Record], partnership: bytes, salt: int, prev_crc: int
) -> None:
    """All fields, and total_bytes is where the next frame begins."""
    body = log_frame.pack_body(7, records[0].lsn, records)
    data, header_crc = log_frame.stamp(
        body, partnership=partnership, salt=salt, durable_lsn=records[0].lsn - 1, prev_crc=prev_crc
    )
    header = log_frame.parse_header(data)
    assert header == log_frame.FrameHeader(
        kind=log_frame.FrameKind.DATA,
        total_bytes=len(data) + body.body_bytes + len(log_frame.padding(body)),
        body_bytes=sum(map(len, body.buffers)),
        record_count=len(records),
        partnership=partnership,
        salt=salt,
        epoch=7,
        first_lsn=records[0].lsn,
        durable_lsn=records[0].lsn - 1,
        body_crc=body.body_crc,
        prev_crc=prev_crc,
        header_crc=header_crc,
    )
    assert header.total_bytes % log_frame.SECTOR_BYTES == 0
    assert (header.last_lsn, header.next_lsn) == (records[-1].lsn, records[-1].lsn + 1)


def test_packing_copies_no_payload() -> None:
    """A megabyte passes through as the object that the writer gave."""
    payloads: list[Buffer] = [bytes(4096), bytearray(4096), memoryview(bytes(4096))]
    records = [
        Record(lsn, RecordKind.WRITE, 0, 0, 4096, data) for lsn, data in enumerate(payloads, 1)
    ]
    body = log_frame.pack_body(1, 1, records)
    assert all(kept is given for kept, given in zip(body.buffers[1:], payloads, strict=True))


def test_payloads_of_a_received_body_are_read_only_views_into_it() -> None:
    """Nothing is copied, and nobody can change what the checksum was taken of."""
    packed = log_frame.pack_body(1, 41, samples.RECORDS)
    whole = bytearray(b"".join(packed.buffers))
    body = log_frame.body_from_bytes(1, 41, 4, whole, packed.body_crc)
    payload = log_frame.unpack_records(body)[0].payload
    assert isinstance(payload, memoryview)
    assert payload.obj is whole
    assert payload.readonly


def test_a_payload_that_changed_since_it_was_verified_is_refused_when_applied() -> None:
    """Memory is not trusted between the log and the volume."""
    packed = log_frame.pack_body(1, 41, samples.RECORDS)
    whole = bytearray(b"".join(packed.buffers))
    body = log_frame.body_from_bytes(1, 41, 4, whole, packed.body_crc)
    whole[-1] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        log_frame.unpack_records(body)


def test_the_padding_completes_a_sector_and_is_never_one() -> None:
    """A frame that ends with its sector has none."""
    for length in (1, 3943, 3944, 3945, 4096, 8040):
        record = Record(1, RecordKind.WRITE, 0, 0, length, bytes(length))
        body = log_frame.pack_body(1, 1, [record])
        size = log_frame.HEADER_BYTES + body.body_bytes + len(log_frame.padding(body))
        assert size == body.total_bytes
        assert size % log_frame.SECTOR_BYTES == 0
        assert len(log_frame.padding(body)) < log_frame.SECTOR_BYTES
    full = log_frame.pack_body(1, 1, [Record(1, RecordKind.WRITE, 0, 0, 3944, bytes(3944))])
    assert log_frame.padding(full) == b""


def test_payloads_stay_out_of_reprs() -> None:
    """A log line or a traceback never shows the users' data."""
    record = Record(1, RecordKind.WRITE, 0, 0, 6, b"secret")
    assert "secret" not in repr(record)
    assert "secret" not in repr(log_frame.pack_body(1, 1, [record]))


def test_a_frame_beyond_the_limit_is_not_made() -> None:
    """Two megabytes are the most that a reader will take."""
    most = log_frame.MAX_FRAME_BYTES - log_frame.HEADER_BYTES - log_frame.ROW_BYTES
    largest = [Record(1, RecordKind.WRITE, 0, 0, most, bytes(most))]
    assert log_frame.pack_body(1, 1, largest).total_bytes == log_frame.MAX_FRAME_BYTES
    larger = [Record(1, RecordKind.WRITE, 0, 0, most + 1, bytes(most + 1))]
    with pytest.raises(FormatError) as refusal:
        log_frame.pack_body(1, 1, larger)
    assert refusal.value.what == "length"


@pytest.mark.parametrize(
    ("volume", "offset", "length"), [(1 << 16, 0, 4096), (0, -1, 4096), (0, 0, 1 << 32)]
)
def test_a_number_that_does_not_fit_its_field_is_not_written(
    volume: int, offset: int, length: int
) -> None:
    """Cutting bits off would write to another place."""
    record = Record(1, RecordKind.TRIM, volume, offset, length)
    with pytest.raises(FormatError) as refusal:
        log_frame.pack_body(1, 1, [record])
    assert refusal.value.what == "length"


@pytest.mark.parametrize(
    ("record_count", "body_bytes"),
    [(0, 24), (-1, 24), (2, 47), (2**32, 64), (1, 0), (1, log_frame.MAX_FRAME_BYTES)],
)
def test_a_body_of_impossible_size_is_refused(record_count: int, body_bytes: int) -> None:
    """Before anything in it is looked at."""
    with pytest.raises(FormatError) as refusal:
        log_frame.body_from_bytes(1, 1, record_count, bytes(body_bytes), 0)
    assert refusal.value.what == "length"


@pytest.mark.parametrize(("epoch", "first_lsn"), [(-1, 1), (2**63, 1), (1, 0), (1, 2**63 - 1)])
def test_a_body_of_impossible_numbers_is_refused(epoch: int, first_lsn: int) -> None:
    """The numbers of a received frame come from the peer."""
    table = ROW.pack(RecordKind.TRIM, 0, 0, 4096, 0, 0, 0)
    with pytest.raises(FormatError) as refusal:
        log_frame.body_from_bytes(epoch, first_lsn, 1, table, crc32(table))
    assert refusal.value.what == "order"


@pytest.mark.parametrize(
    ("row", "payload", "what"),
    [
        ((4, 0, 0, 4096, 0, 0, 0), b"", "version"),
        ((0, 0, 0, 4096, 0, 0, 0), b"", "version"),
        ((3, 1, 0, 4096, 0, 0, 0), b"", "version"),
        ((3, 0, 0, 4096, 0, 0, 1), b"", "version"),
        ((3, 0, 0, 0, 0, 0, 0), b"", "length"),
        ((3, 0, 0, 4096, 2**63 - 1, 0, 0), b"", "length"),
        ((3, 0, 0, 4096, 0, 1, 0), b"", "checksum"),
        ((3, 0, 0, 4096, 0, 0, 0), b"more", "length"),
        ((1, 0, 0, 5, 0, crc32(b"short"), 0), b"shor", "length"),
        ((1, 0, 0, 5, 0, crc32(b"short"), 0), b"shorter", "length"),
        ((1, 0, 0, 5, 0, crc32(b"other"), 0), b"short", "checksum"),
        ((1, 0, 0, 0, 0, 0, 0), b"", "length"),
    ],
)
def test_a_row_that_no_writer_makes_is_refused(
    row: tuple[int, ...], payload: bytes, what: str
) -> None:
    """Even when the checksum of the table is right."""
    with pytest.raises(FormatError) as refusal:
        forged(ROW.pack(*row), payload)
    assert refusal.value.what == what


def test_a_body_with_a_payload_missing_or_left_over_is_refused() -> None:
    """Also when its buffers come apart, as after packing."""
    body = log_frame.pack_body(1, 41, samples.RECORDS)
    for buffers in (body.buffers[:-1], (*body.buffers, b"more")):
        size = sum(map(len, buffers))
        broken = msgspec.structs.replace(body, buffers=buffers, body_bytes=size)
        with pytest.raises(FormatError) as refusal:
            log_frame.unpack_records(broken)
        assert refusal.value.what == "length"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(4, "<B", 2), "version"),  # version
        (put(5, "<B", 3), "version"),  # kind
        (put(6, "<H", 1), "version"),  # flags
        (put(76, "<B", 1), "version"),  # first byte of the reserve
        (put(123, "<B", 1), "version"),  # last byte of the reserve
        (put(8, "<I", 4096 + 512), "length"),  # total_bytes
        (put(8, "<I", 8192), "length"),
        (put(8, "<I", 0), "length"),
        (put(12, "<I", 4096), "length"),  # body_bytes
        (put(12, "<I", 95), "length"),
        (put(12, "<I", 2**32 - 1), "length"),
        (put(16, "<I", 0), "length"),  # record_count
        (put(16, "<I", 2**32 - 1), "length"),
        (put(44, "<Q", 2**63), "order"),  # epoch
        (put(52, "<Q", 2**64 - 1), "order"),  # first_lsn
        (put(60, "<Q", 41), "order"),  # durable_lsn
    ],
)
def test_an_intact_header_that_cannot_be_is_refused(
    change: Callable[[bytearray], None], what: str
) -> None:
    """The checksum is right, so the word says what the writer did, not that the disk failed."""
    with pytest.raises(FormatError) as refusal:
        log_frame.parse_header(resealed(samples.frame_bytes(), change))
    assert refusal.value.what == what


@pytest.mark.parametrize(
    "change",
    [
        put(8, "<I", 0),  # total_bytes
        put(8, "<I", 4097),
        put(12, "<I", 24),  # body_bytes
        put(16, "<I", 1),  # record_count
        put(68, "<I", 1),  # body_crc
    ],
)
def test_a_wrap_marker_that_cannot_be_is_refused(change: Callable[[bytearray], None]) -> None:
    """It carries no records and reaches to the end of the ring."""
    with pytest.raises(FormatError) as refusal:
        log_frame.parse_header(resealed(samples.wrap_bytes(), change))
    assert refusal.value.what == "length"


def test_a_wrap_marker_uses_up_no_lsn() -> None:
    """The frame after it has the LSN that the marker names."""
    header = log_frame.parse_header(samples.wrap_bytes())
    assert (header.first_lsn, header.next_lsn, header.last_lsn) == (45, 45, 44)
    assert header.total_bytes == 5 * log_frame.SECTOR_BYTES
    assert len(samples.wrap_bytes()) == log_frame.SECTOR_BYTES


@pytest.mark.parametrize("sector", [bytes(4096), b"\xff" * 4096, b"SRSB" + bytes(4092)])
def test_a_sector_that_holds_no_frame_has_no_magic(sector: bytes) -> None:
    """A log that was just made is zeros."""
    with pytest.raises(FormatError) as refusal:
        log_frame.parse_header(sector)
    assert refusal.value.what == "magic"


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ({"partnership": bytes(16)}, "identity"),
        ({"salt": samples.SALT + 1}, "identity"),
        ({"prev_crc": 0}, "identity"),
        ({"next_lsn": samples.FIRST_LSN + 1}, "order"),
        ({"next_lsn": samples.FIRST_LSN - 1}, "order"),
    ],
)
def test_an_intact_frame_from_elsewhere_is_refused(place: dict[str, object], what: str) -> None:
    """Another partnership, an older opening, a broken chain, another LSN."""
    header = log_frame.parse_header(samples.frame_bytes())
    here: dict[str, object] = {
        "partnership": samples.PARTNERSHIP,
        "salt": samples.SALT,
        "prev_crc": samples.PREV_CRC,
        "next_lsn": samples.FIRST_LSN,
    }
    log_frame.expect_frame(header, **here)  # type: ignore[arg-type]
    with pytest.raises(FormatError) as refusal:
        log_frame.expect_frame(header, **(here | place))  # type: ignore[arg-type]
    assert refusal.value.what == what


def test_a_torn_frame_is_never_taken_whichever_sectors_arrived() -> None:
    """An older frame of the same shape lies under it; all mixtures of sectors are tried."""
    payload = bytes(range(256)) * 15
    older, newer = (
        samples.frame_bytes(
            log_frame.pack_body(
                samples.EPOCH, lsn, [Record(lsn, RecordKind.WRITE, 0, 0, 3840, data)]
            ),
            durable_lsn=lsn - 1,
        )
        for lsn, data in ((9, payload[::-1]), (41, payload))
    )
    sectors = [(older[at : at + 512], newer[at : at + 512]) for at in range(0, 4096, 512)]
    taken = 0
    for choice in itertools.product((0, 1), repeat=len(sectors)):
        data = b"".join(pair[new] for pair, new in zip(sectors, choice, strict=True))
        try:
            header = log_frame.parse_header(data)
            log_frame.expect_frame(
                header,
                partnership=samples.PARTNERSHIP,
                salt=samples.SALT,
                prev_crc=samples.PREV_CRC,
                next_lsn=41,
            )
            log_frame.body_from_bytes(
                header.epoch,
                header.first_lsn,
                header.record_count,
                data[128 : 128 + header.body_bytes],
                header.body_crc,
            )
        except FormatError:
            continue
        taken += 1
        assert data == newer
    assert taken == 1
