"""Leaving the process that started us: nobody has to wait for us, and nobody takes us along.

Always true: it is called before there are threads, loops or locks.
"""

from __future__ import annotations

import os


def detach() -> None:
    """Go on as nobody's child, in the session that the starter made for us."""
    if os.fork():
        # Nothing of the starter's, such as its buffered output, may be written twice.
        os._exit(0)
