"""Python reads this first when it starts: every third write of some sites is cut short.

It is done to a site in whose own directory lies a file named ``short-writes``.  The system is asked
for a part of what was to be written, so what it answers is true.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_SECTOR_BYTES = 512
_count = itertools.count(1)
_pwrite, _pwritev = os.pwrite, os.pwritev


def _pwrite_less(descriptor: int, data: bytes, offset: int) -> int:
    if next(_count) % 3 == 0 and len(data) > _SECTOR_BYTES:
        data = memoryview(data)[:_SECTOR_BYTES]  # type: ignore[assignment]
    return _pwrite(descriptor, data, offset)


def _pwritev_less(descriptor: int, buffers: Sequence[bytes], offset: int, flags: int = 0) -> int:
    if next(_count) % 3 == 0 and len(buffers[0]):
        buffers = (memoryview(buffers[0])[:_SECTOR_BYTES],)  # type: ignore[assignment]
    return _pwritev(descriptor, buffers, offset, flags)


def _is_meant() -> bool:
    words = sys.orig_argv
    if "srshell.site" not in words or "--directory" not in words:
        return False
    return (Path(words[words.index("--directory") + 1]) / "short-writes").exists()


if _is_meant():
    os.pwrite, os.pwritev = _pwrite_less, _pwritev_less  # type: ignore[assignment]
