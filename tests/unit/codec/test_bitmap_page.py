"""Bitmap pages: a bit per block, and a page that is not surely this one is refused."""

import struct

import pytest
from bitarray import bitarray
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import bitmap_page, map_page
from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from tests.unit.codec import samples

PLACE = (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX)


def resealed(offset: int, value: int) -> bytes:
    """Change one byte of the sample page and give it the right checksum again."""
    data = bytearray(samples.page_bytes())
    data[offset] = value
    struct.pack_into("<I", data, 60, crc32(bytes(data[64:]), crc32(bytes(data[:60]))))
    return bytes(data)


def refused(data: bytes, place: tuple[bytes, int, int] = PLACE) -> str:
    """Return the word with which a page is refused."""
    with pytest.raises(FormatError) as refusal:
        bitmap_page.decode_page(data, *place)
    return refusal.value.what


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=bitmap_page.BITS_PER_PAGE // 8),
    st.integers(0, 7),
)
def test_a_page_comes_back(
    partnership: bytes, volume: int, page_index: int, generation: int, raw: bytes, short: int
) -> None:
    """The last page of a volume may be given short; it comes back with clear bits behind."""
    bits = bitarray(endian="little")
    bits.frombytes(raw)
    bits = bits[: max(0, len(bits) - short)]
    data = bitmap_page.encode_page(partnership, volume, page_index, generation, bits)
    assert len(data) == map_page.PAGE_BYTES
    found_generation, found = bitmap_page.decode_page(data, partnership, volume, page_index)
    assert found_generation == generation
    assert len(found) == bitmap_page.BITS_PER_PAGE
    assert found.endian == "little"
    assert found[: len(bits)] == bits
    assert not found[len(bits) :].any()


def test_the_bits_of_a_byte_count_from_the_lowest() -> None:
    """Block 0 is bit 0 of the byte after the header."""
    bits = bitarray(bitmap_page.BITS_PER_PAGE, endian="little")
    bits[0] = bits[9] = 1
    data = bitmap_page.encode_page(*PLACE, 1, bits)
    assert data[64:67] == b"\x01\x02\x00"


def test_more_bits_than_a_page_holds_are_not_written() -> None:
    """They would be lost."""
    bits = bitarray(bitmap_page.BITS_PER_PAGE + 1, endian="little")
    with pytest.raises(FormatError) as refusal:
        bitmap_page.encode_page(*PLACE, 1, bits)
    assert refusal.value.what == "length"


@pytest.mark.parametrize(("volume", "page_index"), [(2**16, 0), (0, 2**32), (-1, 0)])
def test_a_number_that_does_not_fit_its_field_is_not_written(volume: int, page_index: int) -> None:
    """A page must not claim to be another one."""
    bits = bitarray(8, endian="little")
    with pytest.raises(FormatError) as refusal:
        bitmap_page.encode_page(samples.PARTNERSHIP, volume, page_index, 1, bits)
    assert refusal.value.what == "length"


@pytest.mark.parametrize(
    "place",
    [
        (bytes(16), samples.PAGE_VOLUME, samples.PAGE_INDEX),
        (samples.PARTNERSHIP, samples.PAGE_VOLUME + 1, samples.PAGE_INDEX),
        (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX + 1),
    ],
)
def test_an_intact_page_from_elsewhere_is_refused(place: tuple[bytes, int, int]) -> None:
    """A misdirected write, or a log volume that was used before."""
    assert refused(samples.page_bytes(), place) == "identity"


def test_a_page_never_written_has_no_magic() -> None:
    """The caller takes all ones."""
    assert refused(bytes(4096)) == "magic"


def test_a_later_version_is_refused_by_that_word_when_it_is_intact() -> None:
    """So is a page that uses the reserve."""
    assert refused(resealed(4, 2)) == "version"
    assert refused(resealed(36, 1)) == "version"
    assert refused(resealed(59, 1)) == "version"


@pytest.mark.parametrize(
    ("size_bytes", "block_bytes", "pages"),
    [
        (0, 4096, 0),
        (1, 4096, 1),
        (32256 * 4096, 4096, 1),
        (32256 * 4096 + 1, 4096, 2),
        (10 << 30, 4096, 82),
        (32256 * 512, 512, 1),
        (32257 * 512, 512, 2),
    ],
)
def test_a_volume_has_pages_for_all_its_blocks(
    size_bytes: int, block_bytes: int, pages: int
) -> None:
    """A block that was begun has a bit, and a page that was begun is there."""
    assert bitmap_page.page_count(size_bytes, block_bytes) == pages
