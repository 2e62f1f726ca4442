"""Sizes are read and written without losing a byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.model.errors import SrError
from srshell.model.geometry import (
    GIB,
    MIB,
    SIZE_BYTES_MAX,
    format_bytes,
    format_difference,
    format_exact,
    format_size,
    is_aligned,
    parse_size,
    round_up,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("64G", 64 * GIB),
        ("64GiB", 64 * GIB),
        ("64GB", 64 * GIB),
        ("64 g", 64 * GIB),
        ("256M", 256 * MIB),
        ("1.5K", 1536),
        ("4096", 4096),
        (" 512B ", 512),
        (4096, 4096),
        ("7P", 7 * 1024**5),
        (str(SIZE_BYTES_MAX), SIZE_BYTES_MAX),
    ],
)
def test_these_are_sizes(text: str | int, size_bytes: int) -> None:
    """Units are binary, however they are spelled."""
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "text",
    ["", "G", "-1", "-1G", "0", "0.1", "1.0001K", "64X", "64 Gi", "1e9", "0x10", "1,5G", "٤", "8E",
     "9223372036854775808", "8192P", 0, -5],
)  # fmt: skip
def test_these_are_not(text: str | int) -> None:
    """Not positive, not whole, not a number, or beyond 64 bits."""
    with pytest.raises(SrError, match="SR0004"):
        parse_size(text)


@given(st.integers(1, SIZE_BYTES_MAX))
def test_an_exact_size_reads_back(size_bytes: int) -> None:
    """Mending lines carry sizes; not one byte may get lost."""
    assert parse_size(format_exact(size_bytes)) == size_bytes


@given(st.integers(0, SIZE_BYTES_MAX))
def test_a_shown_size_is_short_and_near(size_bytes: int) -> None:
    """At most four digits before the point, and off by less than a tenth of its unit."""
    number, unit = format_size(size_bytes).split()
    assert float(number) <= 1024 or unit == "PiB"
    scale = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].index(unit)
    assert abs(float(number) * scale - size_bytes) <= scale * 0.051


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1048575, "1 MiB"), (64 * GIB, "64 GiB"),
     (int(9.4 * GIB), "9.4 GiB")],
)  # fmt: skip
def test_sizes_are_shown_rounded(size_bytes: int, shown: str) -> None:
    """For eyes; 1023.9 KiB is a MiB."""
    assert format_size(size_bytes) == shown


def test_a_difference_is_shown_to_the_byte() -> None:
    """As a refusal for unequal volumes prints it."""
    assert format_bytes(10737418240) == "10 737 418 240 B"
    assert format_difference(8192, 4096) == "8 192 B and 4 096 B (-4 096 B)"
    assert format_difference(4096, 8192) == "4 096 B and 8 192 B (+4 096 B)"


@given(st.integers(0, 2**40), st.sampled_from([512, 4096, 4032]))
def test_rounding_up_gives_the_next_whole_number_of_units(size_bytes: int, unit: int) -> None:
    """Never less, never a whole unit more."""
    rounded = round_up(size_bytes, unit)
    assert is_aligned(rounded, unit)
    assert 0 <= rounded - size_bytes < unit
