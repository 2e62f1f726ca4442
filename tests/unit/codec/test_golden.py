"""What version 1 wrote is read by every later release, and written again to the same bytes.

The files in ``golden`` were made once by ``tests/unit/codec/make_golden.py`` from the values in
``tests/unit/codec/samples.py``.
"""

from pathlib import Path

import attrs
import pytest

from srshell.codec import bitmap_page, checksum_page, log_frame, messages, superblock
from srshell.codec.messages import Message
from srshell.model.replica import Standing, Superblock
from tests.unit.codec import samples

GOLDEN = Path(__file__).parent / "golden"


def test_every_layout_and_every_message_has_a_golden_file() -> None:
    """Kinds without a sample would be free to change unseen."""
    made = {path.name for path in GOLDEN.iterdir()} - {"superblock-without-checksums.bin"}
    assert made == set(samples.golden_files())
    assert [type(message) for message in samples.MESSAGES] == list(messages.MESSAGE_KINDS)


@pytest.mark.parametrize("value", [samples.SUPERBLOCK, samples.STANDING])
def test_no_field_of_a_sample_has_its_default(value: Superblock | Standing) -> None:
    """A field that the code forgot would come back right by chance."""
    fields = attrs.fields(type(value))
    assert [field.name for field in fields if getattr(value, field.name) == field.default] == []


@pytest.mark.parametrize("name", samples.golden_files())
def test_today_s_code_writes_the_bytes_of_version_1(name: str) -> None:
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


def test_a_superblock_of_version_1_is_read_and_written_back() -> None:
    """All facts of it, the nested ones too."""
    data = (GOLDEN / "superblock.bin").read_bytes()
    found = superblock.decode_superblock(data, superblock.slot_of(samples.SUPERBLOCK.generation))
    assert found == samples.SUPERBLOCK
    assert superblock.encode_superblock(found) == data


def test_a_superblock_from_before_the_checksum_maps_is_read() -> None:
    """Its replica opens without a map; what is written next has the fields."""
    data = (GOLDEN / "superblock-without-checksums.bin").read_bytes()
    found = superblock.decode_superblock(data, superblock.slot_of(samples.SUPERBLOCK.generation))
    assert found == samples.SUPERBLOCK_WITHOUT_CHECKSUMS
    again = superblock.encode_superblock(found)
    assert again != data
    assert superblock.decode_superblock(again, superblock.slot_of(found.generation)) == found


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
