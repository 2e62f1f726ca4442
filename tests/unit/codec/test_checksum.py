"""One checksum, whatever computes it."""

import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import checksum


@given(st.binary(max_size=5000), st.integers(0, 2**32 - 1))
def test_the_checksum_is_zlib_s(data: bytes, value: int) -> None:
    """A reader in another language needs only CRC-32."""
    expected = zlib.crc32(data, value)
    for buffer in (data, bytearray(data), memoryview(data), memoryview(data).toreadonly()):
        assert checksum.crc32(buffer, value) == expected


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_pieces_chain(first: bytes, second: bytes) -> None:
    """Header and body are covered without being joined."""
    assert checksum.crc32(second, checksum.crc32(first)) == checksum.crc32(first + second)


def test_the_known_answer() -> None:
    """The check value of CRC-32/ISO-HDLC."""
    assert checksum.crc32(b"123456789") == 0xCBF43926


def test_without_the_fast_extra_zlib_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The faster library is optional; the bytes are the same."""
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    assert checksum._fastest() is zlib.crc32
