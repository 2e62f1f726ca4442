"""Sizes in bytes: read, written, rounded.

Always true:

(1) A size is a positive whole number of bytes; units are binary (1K = 1 KiB = 1024 bytes).
(2) ``parse_size(format_exact(n)) == n``; ``format_size`` is for eyes and rounds.
"""

from __future__ import annotations

import re
from fractions import Fraction

from srshell.model.errors import SrError

KIB = 1024
MIB = 1024**2
GIB = 1024**3

#: Smallest unit that logs, bitmaps and volumes are counted in.
SECTOR_BYTES = 4096
#: Block size of a volume in a directory.
DEFAULT_BLOCK_BYTES = 4096
#: Smallest ring of a log, and the log volume that is made when no size is given.
LOG_RING_BYTES_MIN = 8 * MIB
LOG_VOLUME_BYTES_DEFAULT = 64 * MIB
#: Larger volumes would overflow the 64-bit offsets of the NBD protocol.
SIZE_BYTES_MAX = 2**63 - 1

_UNITS = ("B", "K", "M", "G", "T", "P")
#: A number beyond what is shown as this one: it may be beyond what a float can hold.
_SHOWN_MAX = Fraction(10) ** 99
#: Longer texts are no sizes: 2**63 - 1 has 19 digits.
_SIZE_CHARACTERS_MAX = 64
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:iB|B)?", re.IGNORECASE)


def parse_size(text: str | int) -> int:
    """Read a size such as ``64G``, ``64GiB``, ``1.5M``, ``4096`` into bytes.

    Raises:
        SrError: SR0004, it is no size, not positive, not whole, or beyond 2**63 - 1.
    """
    if isinstance(text, int):
        size_bytes = Fraction(text)
    else:
        match = _SIZE.fullmatch(text.strip())
        if match is None or not text.isascii() or len(text) > _SIZE_CHARACTERS_MAX:
            raise SrError.make("SR0004", facts="examples: 64G, 64GiB, 4096", text=ascii(text))
        size_bytes = Fraction(match[1]) * KIB ** (_UNITS.index(match[2].upper() or "B"))
    if size_bytes.denominator != 1 or not 0 < size_bytes <= SIZE_BYTES_MAX:
        shown = float(max(-_SHOWN_MAX, min(size_bytes, _SHOWN_MAX)))
        facts = f"{shown:.6g} bytes; possible are 1 to {SIZE_BYTES_MAX}, whole"
        raise SrError.make("SR0004", facts=facts, text=ascii(str(text)))
    return int(size_bytes)


def format_size(size_bytes: int) -> str:
    """A size for eyes: ``64 GiB``, ``9.4 GiB``, ``512 B``; at most one digit after the point."""
    value = Fraction(size_bytes)
    unit = 0
    # 1023.95 KiB would be shown as 1024.0 KiB: the next unit begins where rounding reaches it.
    while abs(value) >= Fraction(KIB) - Fraction(1, 20) and unit < len(_UNITS) - 1:
        value /= KIB
        unit += 1
    number = f"{float(value):.1f}".removesuffix(".0")
    return f"{number} {_UNITS[unit]}{'iB' if unit else ''}"


def format_exact(size_bytes: int) -> str:
    """A size that reads back as the same number: the largest unit that leaves nothing over."""
    unit = 0
    while size_bytes and size_bytes % KIB == 0 and unit < len(_UNITS) - 1:
        size_bytes //= KIB
        unit += 1
    return f"{size_bytes}{_UNITS[unit] if unit else ''}"


def format_bytes(size_bytes: int) -> str:
    """All digits, in threes: ``10 737 418 240 B``."""
    return f"{size_bytes:,} B".replace(",", " ")


def format_difference(a_bytes: int, b_bytes: int) -> str:
    """Two sizes that should be equal, with what the second has more or less than the first."""
    difference = b_bytes - a_bytes
    sign = "-" if difference < 0 else "+"
    both = f"{format_bytes(a_bytes)} and {format_bytes(b_bytes)}"
    return f"{both} ({sign}{format_bytes(abs(difference))})"


def is_aligned(size_bytes: int, unit_bytes: int) -> bool:
    """Whether ``size_bytes`` is a whole number of units."""
    return size_bytes % unit_bytes == 0


def round_up(size_bytes: int, unit_bytes: int) -> int:
    """The next whole number of units, in bytes."""
    return -(-size_bytes // unit_bytes) * unit_bytes
