"""What a release wrote is read by every later one; the newest version is written back the same.

The files in ``golden`` were made once by ``tests/unit/codec/make_golden.py`` from the values in
``tests/unit/codec/samples.py``.
"""

from pathlib import Path

import attrs
import pytest

from srshell.codec import bitmap_page, checksum_page, log_frame, messages, superblock
from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from srshell.codec.messages import Message
from srshell.model.replica import Standing, Superblock
from tests.unit.codec import samples

GOLDEN = Path(__file__).parent / "golden"


def test_every_layout_and_every_message_has_a_golden_file() -> None:
    """Kinds without a sample would be free to change unseen."""
    made = {path.name for path in GOLDEN.iterdir()} - set(samples.OLDER_FILES)
    assert made == set(samples.golden_files())
    assert [type(message) for message in samples.MESSAGES] == list(messages.MESSAGE_KINDS)


@pytest.mark.parametrize("value", [samples.SUPERBLOCK, samples.STANDING])
def test_no_field_of_a_sample_has_its_default(value: Superblock | Standing) -> None:
    """A field that the code forgot would come back right by chance."""
    fields = attrs.fields(type(value))
    assert [field.name for field in fields if getattr(value, field.name) == field.default] == []


@pytest.mark.parametrize("name", samples.golden_files())
def test_today_s_code_writes_the_golden_bytes(name: str) -> None:
    """Bytes on disk and on the wire are a promise; a difference here needs a new version."""
    assert samples.golden_files()[name] == (GOLDEN / name).read_bytes()


def test_a_frame_of_version_1_is_read_and_written_back() -> None:
    """Header, table, payloads and padding."""
    data = (GOLDEN / "frame-data.bin").read_bytes()
    header = log_frame.parse_header(data)
    body = log_frame.body_from_bytes(
        header.epoch,
        header.first_lsn,
        header.record_count,
        data[log_frame.HEADER_BYTES :][: header.body_bytes],
        header.body_crc,
    )
    assert log_frame.unpack_records(body) == samples.RECORDS
    again, header_crc = log_frame.stamp(
        body,
        partnership=header.partnership,
        salt=header.salt,
        durable_lsn=header.durable_lsn,
        prev_crc=header.prev_crc,
    )
    assert again + bytes(body.buffers[0]) + log_frame.padding(body) == data
    assert header_crc == header.header_crc
    assert len(data) == header.total_bytes == body.total_bytes


def test_a_wrap_marker_of_version_1_is_read_and_written_back() -> None:
    """The marker is one sector, however long the rest of the ring is."""
    data = (GOLDEN / "frame-wrap.bin").read_bytes()
    header = log_frame.parse_header(data)
    assert header.kind is log_frame.FrameKind.WRAP
    again, _ = log_frame.wrap_marker(
        partnership=header.partnership,
        salt=header.salt,
        epoch=header.epoch,
        next_lsn=header.next_lsn,
        durable_lsn=header.durable_lsn,
        prev_crc=header.prev_crc,
        total_bytes=header.total_bytes,
    )
    assert again == data


def test_a_superblock_of_version_2_is_read_and_written_back() -> None:
    """All facts of it, the nested ones too."""
    data = (GOLDEN / "superblock-2.bin").read_bytes()
    found = superblock.decode_superblock(data, superblock.slot_of(samples.SUPERBLOCK_2.generation))
    assert found == samples.SUPERBLOCK_2
    assert superblock.encode_superblock(found) == data


@pytest.mark.parametrize("name", samples.OLDER_FILES)
def test_a_superblock_of_version_1_is_read(name: str) -> None:
    """Without a checksum map its replica opens without one; what is written next is of today."""
    data = (GOLDEN / name).read_bytes()
    slot = superblock.slot_of(samples.SUPERBLOCK.generation)
    found = superblock.decode_superblock(data, slot)
    assert found == samples.OLDER_FILES[name]
    again = superblock.encode_superblock(found)
    assert int.from_bytes(data[4:6], "little") == 1
    assert int.from_bytes(again[4:6], "little") == superblock.VERSION
    assert superblock.decode_superblock(again, slot) == found


@pytest.mark.parametrize(("name", "claimed"), [("superblock.bin", 2), ("superblock-2.bin", 1)])
def test_a_body_of_another_version_than_the_header_says_is_refused(name: str, claimed: int) -> None:
    """Neither reader takes the other's body for its own."""
    data = bytearray((GOLDEN / name).read_bytes())
    data[4:6] = claimed.to_bytes(2, "little")
    end = superblock.HEADER_BYTES + int.from_bytes(data[8:12], "little")
    data[20:24] = crc32(data[24:end], crc32(data[:20])).to_bytes(4, "little")
    with pytest.raises(FormatError, match="version"):
        superblock.decode_superblock(data, superblock.slot_of(samples.SUPERBLOCK.generation))


def test_a_checksum_page_of_version_1_is_read_and_written_back() -> None:
    """Four bytes for each block, in order."""
    data = (GOLDEN / "checksum-page.bin").read_bytes()
    place = (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX)
    generation, checksums = checksum_page.decode_checksum_page(data, *place)
    assert (generation, checksums) == (samples.PAGE_GENERATION, samples.CHECKSUMS)
    assert checksum_page.encode_checksum_page(*place, generation, checksums) == data


def test_a_bitmap_page_of_version_1_is_read_and_written_back() -> None:
    """Bit n of the page is bit n % 8 of byte n / 8."""
    data = (GOLDEN / "bitmap-page.bin").read_bytes()
    place = (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX)
    generation, bits = bitmap_page.decode_page(data, *place)
    assert (generation, bits) == (samples.PAGE_GENERATION, samples.page_bits())
    assert bitmap_page.encode_page(*place, generation, bits) == data


@pytest.mark.parametrize("message", samples.MESSAGES, ids=samples.message_file)
def test_a_message_of_version_1_is_read_and_written_back(message: Message) -> None:
    """Header, meta and payload."""
    data = (GOLDEN / samples.message_file(message)).read_bytes()
    found, payload = _read(data)
    assert found == message
    assert b"".join(messages.encode_message(found, (payload,) if payload else ())) == data


def _read(data: bytes) -> tuple[Message, bytes]:
    header = messages.parse_header(data[: messages.HEADER_BYTES])
    meta_end = messages.HEADER_BYTES + header.meta_bytes
    assert len(data) == meta_end + header.payload_bytes
    meta = data[messages.HEADER_BYTES : meta_end]
    return messages.decode_message(header.kind, meta, header.meta_crc), data[meta_end:]
