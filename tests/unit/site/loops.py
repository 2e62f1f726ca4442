"""Block devices made of files."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs


@contextmanager
def loop_device(file: Path, size_bytes: int) -> Iterator[Path]:
    """Attach a new file as a block device."""
    losetup = needs.find("losetup")
    assert losetup is not None
    with file.open("wb") as new:
        new.truncate(size_bytes)
    command = [losetup, "--find", "--show", str(file)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    device = Path(result.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run([losetup, "--detach", str(device)], check=True)
