"""Power cuts for the sites of a pair that live on disks of their own.

Always true: a process is stopped before its disk dies, and does not run again after; so, as when
the power fails, nothing it does can follow the loss of its unsynced bytes.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Final

from tests.process.loop_fs import LoopDisk
from tests.process.pair import MIB, Pair

#: Room for a volume, a log, and the journal of the file system.
DISK_BYTES: Final = 64 * MIB


async def lose_power(pair: Pair, disks: Mapping[str, LoopDisk], arrays: tuple[str, ...]) -> None:
    """Let the power of sites fail at once; it is back a moment later."""
    for array in arrays:
        await pair.signal(array, signal.SIGSTOP)
    for array in arrays:
        disks[array].cut_power()
    await pair.take_down(*arrays)
    for array in arrays:
        disks[array].unmount()
        disks[array].mount()
    await pair.bring_back(*arrays)
