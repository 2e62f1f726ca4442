"""Commits in one system call: written past the page cache, and durable when it returns.

Always true:

(1) `write` says True only of bytes that are on stable storage; where that cannot be had in this
    way it says False, and the caller writes and syncs as for any other file.
(2) The device reads from memory of ours, which nobody else has meanwhile.
(3) Only those file systems are asked that are known to keep what ``RWF_DSYNC`` promises: another
    one may take the flag and forget it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Final

from srshell.codec.checksum import Buffer
from srshell.storage import system_calls

#: Longer writes gain nothing: the device is busy for as long either way.
STAGED_BYTES_MAX: Final = 2 << 20
#: Offsets and lengths are multiples of this: no device has larger sectors.
UNIT_BYTES: Final = 4096
#: Memory that is kept, though nobody writes: for so many at once.
_SPARE_MAX: Final = 4

#: Changed by single operations of the interpreter alone, so threads need no lock.
_spare: Final[list[memoryview]] = []


class WriteThrough:
    """The way past the cache of one open file; memory is taken as writes need it."""

    def __init__(self, descriptor: int) -> None:
        """Open the file of ``descriptor`` once more, if that is of any use."""
        durable = system_calls.keeps_durable_writes(descriptor)
        self._descriptor = system_calls.open_direct(descriptor, writable=True) if durable else -1
        self._refused = False

    @property
    def works(self) -> bool:
        """Whether there is such a way."""
        return self._descriptor >= 0 and not self._refused

    def write(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        """Write all of it, durably; False if not.  Raises OSError if the device fails."""
        if not self.works or length > STAGED_BYTES_MAX:
            return False
        if offset % UNIT_BYTES or length % UNIT_BYTES:
            return False
        staged = _take_staged()
        try:
            position = 0
            for buffer in buffers:
                end = position + len(buffer)
                staged[position:end] = buffer
                position = end
            assert position == length, (position, length)
            taken = os.pwritev(self._descriptor, (staged[:length],), offset, os.RWF_DSYNC)
        except OSError as error:
            if error.errno not in system_calls.CANNOT_GO_DIRECT:
                raise
            # For good: it is the device, not this write.  Another thread may use the descriptor.
            self._refused = True
            return False
        finally:
            _give_back(staged)
        return taken == length

    def close(self) -> None:
        """Give the descriptor back, when no write is under way."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _take_staged() -> memoryview:
    """Memory for one write; it begins where a page does, and pages that are not used cost nothing.

    Files share it: a hundred logs that are written in turn need it once.
    """
    try:
        return _spare.pop()
    except IndexError:
        return memoryview(mmap.mmap(-1, STAGED_BYTES_MAX))


def _give_back(staged: memoryview) -> None:
    if len(_spare) < _SPARE_MAX:
        _spare.append(staged)
