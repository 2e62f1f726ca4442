"""Damage of every sort is refused, and by `FormatError` alone."""

import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import bitmap_page, checksum_page, log_frame, messages, superblock
from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from tests.unit.codec import samples


def read_frame(data: bytes) -> object:
    """Read a frame from the log as recovery does."""
    header = log_frame.parse_header(data)
    end = log_frame.HEADER_BYTES + header.body_bytes
    body = log_frame.body_from_bytes(
        header.epoch,
        header.first_lsn,
        header.record_count,
        data[log_frame.HEADER_BYTES : end],
        header.body_crc,
    )
    return log_frame.unpack_records(body)


def read_superblock(data: bytes) -> object:
    """Read the sample's slot."""
    return superblock.decode_superblock(data, superblock.slot_of(samples.SUPERBLOCK.generation))


def read_page(data: bytes) -> object:
    """Read the sample's page."""
    place = (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX)
    return bitmap_page.decode_page(data, *place)


def read_checksums(data: bytes) -> object:
    """Read the sample's checksum page."""
    place = (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX)
    return checksum_page.decode_checksum_page(data, *place)


def read_message(data: bytes) -> object:
    """Read header and meta of a message."""
    header = messages.parse_header(data[: messages.HEADER_BYTES])
    meta = data[messages.HEADER_BYTES :][: header.meta_bytes]
    if len(meta) < header.meta_bytes:
        # The link waits for the rest and closes when none comes.
        raise FormatError("length", "the link closed in the middle of a message")
    return messages.decode_message(header.kind, meta, header.meta_crc)


def covered(data: bytes, read: Callable[[bytes], object]) -> bytes:
    """Cut off the padding and the payload of a message, which no checksum here covers."""
    if read is read_frame:
        return data[: log_frame.HEADER_BYTES + log_frame.parse_header(data).body_bytes]
    if read is read_superblock:
        return data[: superblock.HEADER_BYTES + int.from_bytes(data[8:12], "little")]
    if read is read_message:
        header = messages.parse_header(data[: messages.HEADER_BYTES])
        return data[: messages.HEADER_BYTES + header.meta_bytes]
    return data


SAMPLES: list[tuple[Callable[[bytes], object], bytes]] = [
    (read_frame, samples.frame_bytes()),
    (read_superblock, superblock.encode_superblock(samples.SUPERBLOCK)),
    (read_page, samples.page_bytes()),
    (read_checksums, samples.checksum_page_bytes()),
    *((read_message, samples.message_bytes(message)) for message in samples.MESSAGES),
]
READERS = (read_frame, read_superblock, read_page, read_checksums, read_message)
MAGICS = (
    log_frame.MAGIC, superblock.MAGIC, bitmap_page.MAGIC, checksum_page.MAGIC, messages.MAGIC
)  # fmt: skip


@pytest.mark.parametrize(("read", "data"), SAMPLES)
def test_every_single_flipped_bit_is_refused(read: Callable[[bytes], object], data: bytes) -> None:
    """Header, table, payload, meta: no bit of them is free."""
    read(data)
    for byte in range(len(covered(data, read))):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[byte] ^= 1 << bit
            with pytest.raises(FormatError):
                read(bytes(damaged))


@pytest.mark.parametrize("read", [read_frame, read_superblock])
def test_a_flipped_bit_in_the_padding_changes_nothing(read: Callable[[bytes], object]) -> None:
    """No reader looks at the padding, so it cannot mislead one."""
    data = dict(SAMPLES)[read]
    value = read(data)
    for byte in range(len(covered(data, read)), len(data)):
        damaged = bytearray(data)
        damaged[byte] ^= 0xFF
        assert read(bytes(damaged)) == value


@pytest.mark.parametrize(("read", "data"), SAMPLES)
def test_truncation_at_every_length_is_refused(
    read: Callable[[bytes], object], data: bytes
) -> None:
    """A short read or a closed link is never half a value."""
    for length in range(len(covered(data, read))):
        with pytest.raises(FormatError):
            read(data[:length])


@pytest.mark.parametrize(("read", "data"), SAMPLES[:4])
def test_a_sector_of_zeros_or_ones_in_the_middle_is_refused(
    read: Callable[[bytes], object], data: bytes
) -> None:
    """A lost or a trashed sector, of 512 bytes."""
    for start in range(0, len(covered(data, read)), 512):
        for filler in (b"\0", b"\xff"):
            damaged = data[:start] + filler * 512 + data[start + 512 :]
            if damaged != data:
                with pytest.raises(FormatError):
                    read(damaged)


@given(st.sampled_from(READERS), st.sampled_from((b"", *MAGICS)), st.binary(max_size=600))
def test_random_bytes_raise_nothing_but_format_errors(
    read: Callable[[bytes], object], magic: bytes, data: bytes
) -> None:
    """With the right magic too."""
    with pytest.raises(FormatError):
        read((magic + data).ljust(4096, b"\0"))


@given(st.binary(min_size=120, max_size=120), st.binary(max_size=300))
def test_a_random_frame_header_with_the_right_checksum_raises_nothing_else(
    fields: bytes, rest: bytes
) -> None:
    """Past the checksum, every field is still doubted."""
    header = log_frame.MAGIC + fields
    with pytest.raises(FormatError):
        read_frame(header + crc32(header).to_bytes(4, "little") + rest)


@given(st.binary(min_size=24, max_size=240))
def test_a_random_table_with_the_right_checksum_raises_nothing_else(table: bytes) -> None:
    """The peer computes checksums too."""
    count = len(table) // log_frame.ROW_BYTES
    with pytest.raises(FormatError):
        log_frame.body_from_bytes(1, 1, count, table, crc32(table[: count * log_frame.ROW_BYTES]))


@given(st.integers(0, 255), st.binary(max_size=64))
def test_a_random_meta_with_the_right_checksum_raises_nothing_else(kind: int, meta: bytes) -> None:
    """It may even be a message, for instance 0x90: no fields."""
    try:
        message = messages.decode_message(kind, meta, crc32(meta))
    except FormatError:
        return
    assert messages.MESSAGE_KINDS[type(message)] == kind


@given(st.sampled_from((1, 2)), st.binary(max_size=200))
def test_a_random_superblock_with_the_right_checksum_raises_nothing_else(
    version: int, body: bytes
) -> None:
    """Its body is MessagePack of somebody else."""
    header = superblock._HEADER.pack(superblock.MAGIC, version, 0, len(body), 4)
    with pytest.raises(FormatError):
        superblock.decode_superblock(
            header + crc32(body, crc32(header)).to_bytes(4, "little") + body, 0
        )


def test_the_error_says_which_test_failed_and_survives_pickling() -> None:
    """Callers branch on ``what``; people read the rest."""
    error = FormatError("checksum", "frame header is damaged")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (again.what, again.message) == ("checksum", "frame header is damaged")
    assert str(error) == "checksum: frame header is damaged"
