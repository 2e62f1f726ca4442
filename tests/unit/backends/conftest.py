"""Real processes, which end with their test, in a directory with a short name."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from srshell.backends import launch
from srshell.site.process_lock import living_site
from tests.unit.backends.fabric import Fabric


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for sockets; processes of sites in it are ended."""
    path = Path(tempfile.mkdtemp(prefix="sr-")).resolve()
    yield path
    for lock in path.glob("sites/*/site.lock"):
        mark = living_site(lock)
        if mark is not None:
            launch.send(mark, signal.SIGKILL)
            asyncio.run(launch.ended(mark))
    shutil.rmtree(path)


@pytest.fixture
async def fabric(place: Path) -> AsyncIterator[Fabric]:
    """A fabric whose owners are closed after the test."""
    fabric = Fabric(place)
    yield fabric
    await fabric.close()
