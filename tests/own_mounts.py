"""A view of the mounts that ends with the run, so that a run broken off leaves nothing mounted."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_MS_REC: Final = 1 << 14
_MS_SLAVE: Final = 1 << 19


def take() -> bool:
    """Give this process and those it starts mounts of their own; False where that is not allowed.

    What the machine mounts is still seen; what is mounted here is seen nowhere else, and goes with
    the last process.  Called by root before there are threads.
    """
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return False
    return bool(libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None) == 0)
