"""Places for sockets, whose paths are limited to 107 bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name, wherever the files of a measurement are."""
    with tempfile.TemporaryDirectory(prefix="srshell-", dir="/tmp") as folder:
        yield Path(folder)
