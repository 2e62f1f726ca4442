"""Small file systems of their own, for disks that can be full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs


def _run(tool: str, *arguments: str | Path) -> None:
    path = needs.find(tool)
    assert path is not None, tool
    subprocess.run([path, *map(str, arguments)], check=True, capture_output=True)


@contextmanager
def small_file_system(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a new file system of that size; it is unmounted when the block ends."""
    image, mounted = folder / "disk", folder / "pool"
    with image.open("wb") as file:
        file.truncate(size_bytes)
    mounted.mkdir()
    _run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", image)
    _run("mount", "-o", "loop", image, mounted)
    try:
        yield mounted
    finally:
        _run("umount", mounted)
