"""Requests that are illegal, rare, or large, from the clients that can send them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests import needs
from tests.interop.ext4_on_nbd import as_file
from tests.interop.nbd_tools import MEBIBYTE, run, served

_SCRIPT = Path(__file__).with_name("nbd_script.py")


@needs.system_python_module("nbd", "python3-libnbd")
@pytest.mark.parametrize("script", ["illegal", "flags", "together"])
async def test_libnbd_gets_the_answer_that_the_protocol_asks_for(
    tmp_path: Path, script: str
) -> None:
    """Out of range, of no length, with flags that do not belong: refused, and nothing is lost."""
    async with served(tmp_path) as at:
        await run("/usr/bin/python3", "-I", _SCRIPT, script, at.uri)


@needs.system_python_module("nbd", "python3-libnbd")
async def test_libnbd_cannot_write_where_nothing_is_to_be_written(tmp_path: Path) -> None:
    async with served(tmp_path, read_only=True) as at:
        await run("/usr/bin/python3", "-I", _SCRIPT, "reading", at.uri)
        assert at.content() == bytes(16 * MEBIBYTE)


@needs.tools("qemu-img")
@pytest.mark.parametrize("load", [("-w",), ("-w", "--flush-interval=64"), ()])
async def test_qemu_img_bench_keeps_many_requests_under_way(
    tmp_path: Path, load: tuple[str, ...]
) -> None:
    async with served(tmp_path) as at:
        said = await run(
            "qemu-img", "bench", "-f", "raw", "-t", "none", "-c", "512", "-d", "32", *load, at.uri
        )
    assert "Run completed" in said


@asynccontextmanager
async def as_loop(folder: Path, uri: str) -> AsyncIterator[str]:
    """Show an export as a block device of the kernel."""
    async with as_file(folder / "fuse", uri) as file:
        device = (await run("losetup", "--find", "--show", file)).strip()
        try:
            yield device
        finally:
            await run("losetup", "--detach", device)


@needs.tools("mkfs.xfs", "xfs_repair", "nbdfuse", "mount")
@needs.fuse()
@needs.loop_devices()
async def test_xfs_lives_on_a_loop_device_over_an_export(tmp_path: Path) -> None:
    """Made, mounted, written, and checked by the kernel and its tools."""
    folder, text = tmp_path / "mounted", b"dear reader\n" * 10_000
    letter = folder / "letter"
    folder.mkdir()
    async with served(tmp_path, size_bytes=320 * MEBIBYTE) as at, as_loop(tmp_path, at.uri) as disk:
        await run("mkfs.xfs", "-q", disk)
        await run("mount", "-t", "xfs", disk, folder)
        try:
            # In a thread: the kernel waits for this very process to serve what is written.
            await asyncio.to_thread(letter.write_bytes, text)
        finally:
            await run("umount", folder)
        await run("xfs_repair", "-n", disk)
        await run("mount", "-t", "xfs", "-o", "ro", disk, folder)
        try:
            assert await asyncio.to_thread(letter.read_bytes) == text
        finally:
            await run("umount", folder)
