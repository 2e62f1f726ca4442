"""CRC-32, the checksum of everything that srshell writes or sends.

Always true:

(1) The polynomial is zlib's (0xEDB88320, reflected), so that ``zlib.crc32`` verifies every byte.
(2) The result does not depend on which library computed it; isal only makes it faster.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Final, Protocol, TypeAlias

#: What is written and sent: any of these, never copied on the way.
Buffer: TypeAlias = bytes | bytearray | memoryview


class Checksum(Protocol):
    """Continue ``value`` over ``data``, so that pieces chain: crc(b, crc(a)) is crc(a + b)."""

    def __call__(self, data: Buffer, value: int = 0, /) -> int:
        """Return the checksum as an unsigned 32-bit number."""


def _fastest() -> Checksum:
    """Return isal's function where the extra "fast" is installed: 0.1 us per 4 KiB, zlib's 0.8."""
    try:
        function: Checksum = importlib.import_module("isal.isal_zlib").crc32
    except ImportError:
        return zlib.crc32
    return function


#: The C function itself, so that a call costs no Python frame.
crc32: Final[Checksum] = _fastest()
