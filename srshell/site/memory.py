"""How a process of a site keeps its memory small and its pauses short."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Final

_COLLECT_AFTER: Final = 20_000
#: mallopt(3): at most so many heaps.
_M_ARENA_MAX: Final = -8


def share_heap() -> bool:
    """Let all threads allocate from one heap, before there are any; False where nobody can tell.

    The C library gives each of the first threads a heap of its own, which keeps what its largest
    read once took.  A site has two threads for each group, and one of them allocates at a time.
    """
    if not sys.platform.startswith("linux") or "MALLOC_ARENA_MAX" in os.environ:
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)  # not every C library has it
    return tell is not None and tell(_M_ARENA_MAX, 1) == 1


def calm_collector() -> None:
    """Let the garbage collector look seldom, and never at what a process has loaded.

    What a write leaves behind is freed by counting; there are no cycles in it to look for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)
