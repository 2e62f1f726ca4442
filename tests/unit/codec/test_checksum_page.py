"""Checksum pages: a CRC-32 per block, and a page that is not surely this one is refused."""

import struct
import sys
import zlib
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import checksum_page, map_page
from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from tests.unit.codec import samples

PLACE = (samples.PARTNERSHIP, samples.PAGE_VOLUME, samples.PAGE_INDEX)


def resealed(offset: int, value: int) -> bytes:
    """Change one byte of the sample page and give it the right checksum again."""
    data = bytearray(samples.checksum_page_bytes())
    data[offset] = value
    struct.pack_into("<I", data, 60, crc32(bytes(data[64:]), crc32(bytes(data[:60]))))
    return bytes(data)


def refused(data: bytes, place: tuple[bytes, int, int] = PLACE) -> str:
    """Return the word with which a page is refused."""
    with pytest.raises(FormatError) as refusal:
        checksum_page.decode_checksum_page(data, *place)
    return refusal.value.what


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.dictionaries(st.integers(0, 1007), st.integers(0, 2**32 - 1), max_size=20),
)
def test_a_page_comes_back(
    partnership: bytes, volume: int, page_index: int, generation: int, known: dict[int, int]
) -> None:
    """All checksums of it, the unknown ones too."""
    checksums = checksum_page.new_checksums()
    for block, checksum in known.items():
        checksums[block] = checksum
    data = checksum_page.encode_checksum_page(
        partnership, volume, page_index, generation, checksums
    )
    assert len(data) == map_page.PAGE_BYTES
    found = checksum_page.decode_checksum_page(data, partnership, volume, page_index)
    assert found == (generation, checksums)


def test_checksums_are_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log volume may be moved to another machine."""
    checksums = checksum_page.new_checksums()
    checksums[1] = 0x01020304
    data = checksum_page.encode_checksum_page(*PLACE, 1, checksums)
    assert data[64:72] == b"\0\0\0\0\x04\x03\x02\x01"
    monkeypatch.setattr(sys, "byteorder", "big")
    swapped = array("I", checksums)
    swapped.byteswap()
    assert checksum_page.encode_checksum_page(*PLACE, 1, swapped) == data
    assert checksum_page.decode_checksum_page(data, *PLACE) == (1, swapped)


def test_no_content_has_a_checksum_that_is_a_word() -> None:
    """A block whose CRC-32 is 0 would never be checked."""
    zero, corrupt = struct.pack("<I", 0x6DD90A9D), struct.pack("<I", 0x248EF9BE)
    assert (zlib.crc32(zero), zlib.crc32(corrupt)) == (0, checksum_page.CORRUPT)
    assert checksum_page.block_checksum(zero) == 0xFFFFFFFF
    assert checksum_page.block_checksum(corrupt) == 0xFFFFFFFF
    assert checksum_page.block_checksum(b"123456789") == 0xCBF43926
    assert checksum_page.block_checksums([zero, b"123456789"]) == [0xFFFFFFFF, 0xCBF43926]
    assert checksum_page.block_checksums([b"123456789"]) == [0xCBF43926]


def test_a_page_has_exactly_its_number_of_checksums() -> None:
    """Others would belong to the blocks of the next page."""
    with pytest.raises(FormatError) as refusal:
        checksum_page.encode_checksum_page(*PLACE, 1, array("I", [1]))
    assert refusal.value.what == "length"


@pytest.mark.parametrize(("volume", "page_index"), [(2**16, 0), (0, 2**32), (-1, 0)])
def test_a_number_that_does_not_fit_its_field_is_not_written(volume: int, page_index: int) -> None:
    """A page must not claim to be another one."""
    with pytest.raises(FormatError) as refusal:
        checksum_page.encode_checksum_page(
            samples.PARTNERSHIP, volume, page_index, 1, checksum_page.new_checksums()
        )
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
    assert refused(samples.checksum_page_bytes(), place) == "identity"


def test_a_page_never_written_has_no_magic() -> None:
    """Nothing is known of its blocks."""
    assert refused(bytes(4096)) == "magic"
    assert refused(b"SRBM" + bytes(4092)) == "magic"


def test_a_later_version_is_refused_by_that_word_when_it_is_intact() -> None:
    """So is a page that uses the reserve."""
    assert refused(resealed(4, 2)) == "version"
    assert refused(resealed(36, 1)) == "version"
    assert refused(resealed(59, 1)) == "version"


@pytest.mark.parametrize(
    ("size_bytes", "pages"),
    [(0, 0), (1, 1), (1008 * 4096, 1), (1008 * 4096 + 1, 2), (10 << 30, 2601), (1 << 30, 261)],
)
def test_a_volume_has_pages_for_all_its_blocks(size_bytes: int, pages: int) -> None:
    """A block that was begun has a checksum, and a page that was begun is there."""
    assert checksum_page.checksum_page_count(size_bytes) == pages
