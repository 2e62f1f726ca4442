"""Python reads this first when it starts: from then on every third write of a file is cut short.

The system is asked for a part of what was to be written, so what it answers is true.
"""

import itertools
import os
from collections.abc import Sequence

_SECTOR_BYTES = 512
_count = itertools.count(1)
_pwrite, _pwritev = os.pwrite, os.pwritev


def _pwrite_less(descriptor: int, data: bytes, offset: int) -> int:
    if next(_count) % 3 == 0 and len(data) > _SECTOR_BYTES:
        data = memoryview(data)[:_SECTOR_BYTES]  # type: ignore[assignment]
    return _pwrite(descriptor, data, offset)


def _pwritev_less(descriptor: int, buffers: Sequence[bytes], offset: int) -> int:
    if next(_count) % 3 == 0 and len(buffers[0]):
        return _pwrite(descriptor, memoryview(buffers[0])[:_SECTOR_BYTES], offset)
    return _pwritev(descriptor, buffers, offset)


os.pwrite, os.pwritev = _pwrite_less, _pwritev_less  # type: ignore[assignment]
