"""Sites in this process, on real files and sockets, in a directory with a short name."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.site.hosting import Fabric


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for sockets, whatever the test is called."""
    path = Path(tempfile.mkdtemp(prefix="sr-")).resolve()
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def fabric(place: Path) -> AsyncIterator[Fabric]:
    """A fabric without sites; those that the test opens are closed after it."""
    fabric = Fabric(place)
    yield fabric
    await fabric.close()
