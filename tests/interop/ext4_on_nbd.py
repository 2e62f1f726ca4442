"""A file system on a volume: written through NBD as a machine would, read back from images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests import needs
from tests.interop.nbd_tools import attempt, run
from tests.process.deadlines import until


@asynccontextmanager
async def as_file(folder: Path, uri: str) -> AsyncIterator[Path]:
    """Show an NBD export as a file; what was written there is flushed when the block ends."""
    tool = needs.find("nbdfuse")
    assert tool is not None
    await asyncio.to_thread(folder.mkdir)
    file = folder / "disk"
    process = await asyncio.create_subprocess_exec(
        tool, str(file), uri, stdin=asyncio.subprocess.DEVNULL
    )
    try:

        async def there() -> bool:
            assert process.returncode is None, "nbdfuse ended"
            return await asyncio.to_thread(file.exists)

        await until(there, "nbdfuse shows the file")
        yield file
    finally:
        await attempt("fusermount3", "-u", folder)
        await process.wait()
        await asyncio.to_thread(folder.rmdir)


async def put(folder: Path, uri: str, name: str, content: bytes) -> None:
    """Write a file into the ext4 file system of an export."""
    source = folder / name
    await asyncio.to_thread(source.write_bytes, content)
    async with as_file(folder / "fuse", uri) as disk:
        # The cache of the pages that a tool wrote is flushed by its last sync.
        ran = await attempt("debugfs", "-w", "-R", f"write {source} {name}", disk)
        # It ends with 0 whatever happens; the first line of its errors is its version.
        assert len(ran.errors.splitlines()) == 1, ran
    source.unlink()


async def files(image: Path) -> dict[str, bytes]:
    """Check an image with e2fsck, and return what its files hold."""
    await run("e2fsck", "-f", "-n", image)
    listing = await run("debugfs", "-R", "ls -p /", image)
    names = [line.split("/")[5] for line in listing.splitlines() if line.count("/") > 5]
    found = {}
    for name in names:
        if name not in {".", "..", "lost+found"}:
            copy = image.with_name("dumped")
            await run("debugfs", "-R", f"dump /{name} {copy}", image)
            found[name] = await asyncio.to_thread(copy.read_bytes)
            copy.unlink()
    return found
