"""The NBD clients that people use work with our server, and read back what they wrote."""

import asyncio
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.interop.nbd_tools import MEBIBYTE, attempt, run, served


def sample(size_bytes: int) -> bytes:
    """Data with a hole in the middle and another at the end."""
    data = bytearray(random.Random(7).randbytes(size_bytes))
    quarter = size_bytes // 4
    data[quarter : 2 * quarter] = bytes(quarter)
    data[-quarter:] = bytes(quarter)
    return bytes(data)


def image(folder: Path, size_bytes: int = 16 * MEBIBYTE) -> Path:
    path = folder / "image"
    path.write_bytes(sample(size_bytes))
    return path


async def export_of(uri: str) -> dict[str, Any]:
    document = json.loads(await run("nbdinfo", "--json", uri))
    (export,) = document["exports"]
    assert document["protocol"] == "newstyle-fixed"
    assert document["structured"] is True
    assert isinstance(export, dict)
    return export


@needs.tools("nbdinfo")
async def test_nbdinfo_sees_size_abilities_and_block_sizes(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        export = await export_of(at.uri)
    assert export["export-name"] == "vol"
    assert export["export-size"] == 16 * MEBIBYTE
    assert export["contexts"] == ["base:allocation"]
    assert export["is_read_only"] is False
    sizes = [export[f"block_size_{each}"] for each in ("minimum", "preferred", "maximum")]
    assert sizes == [1, 4096, 32 * MEBIBYTE]
    abilities = ("cache", "df", "fast_zero", "flush", "fua", "multi_conn", "trim", "zero")
    assert all(export[f"can_{each}"] is True for each in abilities)


@needs.tools("nbdinfo")
async def test_nbdinfo_sees_that_an_export_is_read_only(tmp_path: Path) -> None:
    async with served(tmp_path, read_only=True) as at:
        export = await export_of(at.uri)
    assert export["is_read_only"] is True
    assert export["can_trim"] is False
    assert export["can_zero"] is False


@needs.tools("nbdinfo")
async def test_nbdinfo_lists_the_exports(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        listed = json.loads(await run("nbdinfo", "--list", "--json", at.uri))
    assert [export["export-name"] for export in listed["exports"]] == ["vol"]


@needs.tools("nbdinfo")
async def test_nbdinfo_is_told_that_an_export_is_unknown(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        ran = await attempt("nbdinfo", at.uri.replace("/vol?", "/other?"))
    assert ran.code == 1
    assert "No such file or directory for export: other" in ran.errors


@needs.tools("nbdinfo")
async def test_an_address_leads_to_an_export_of_any_name(tmp_path: Path) -> None:
    async with served(tmp_path, name="größe 1/2?#") as at:
        export = await export_of(at.uri)
    assert export["export-name"] == "größe 1/2?#"


@needs.tools("nbdinfo")
async def test_nbdinfo_maps_what_is_allocated(tmp_path: Path) -> None:
    """From the file system's own map of the file."""
    async with served(tmp_path) as at:
        with at.path.open("r+b") as file:
            os.pwrite(file.fileno(), b"x" * MEBIBYTE, 4 * MEBIBYTE)
        extents = json.loads(await run("nbdinfo", "--map", "--json", at.uri))
    rows = [(each["offset"], each["length"], each["type"]) for each in extents]
    assert rows == [
        (0, 4 * MEBIBYTE, 3),
        (4 * MEBIBYTE, MEBIBYTE, 0),
        (5 * MEBIBYTE, 11 * MEBIBYTE, 3),
    ]


@needs.tools("nbdcopy")
@pytest.mark.parametrize("connections", [1, 4])
async def test_nbdcopy_copies_in_and_out(tmp_path: Path, connections: int) -> None:
    """Over several connections at once, with holes for zeros."""
    source, copy = image(tmp_path), tmp_path / "copy"
    many = f"--connections={connections}"
    async with served(tmp_path) as at:
        await run("nbdcopy", many, "--flush", source, at.uri)
        assert at.content() == source.read_bytes()
        assert at.path.stat().st_blocks * 512 <= 10 * MEBIBYTE
        await run("nbdcopy", many, at.uri, copy)
    assert copy.read_bytes() == source.read_bytes()


@needs.tools("qemu-img")
async def test_qemu_img_reads_converts_and_compares(tmp_path: Path) -> None:
    source = image(tmp_path)
    async with served(tmp_path) as at:
        info = json.loads(await run("qemu-img", "info", "--output=json", at.uri))
        assert (info["format"], info["virtual-size"]) == ("raw", 16 * MEBIBYTE)
        await run("qemu-img", "convert", "-n", "-W", "-f", "raw", "-O", "raw", source, at.uri)
        assert at.content() == source.read_bytes()
        compared = await run("qemu-img", "compare", "-f", "raw", "-F", "raw", source, at.uri)
        assert "identical" in compared
        await run("qemu-io", "-f", "raw", "-c", "write -P 1 12345 1", at.uri)
        different = await attempt("qemu-img", "compare", "-f", "raw", "-F", "raw", source, at.uri)
        assert different.code == 1


async def qemu_io(uri: str, *commands: str, read_only: bool = False) -> str:
    arguments = [each for command in commands for each in ("-c", command)]
    options = ["-r"] if read_only else []
    # Without qemu's own cache, so that each command is a request.
    return await run("qemu-io", *options, "-t", "none", "-f", "raw", *arguments, uri)


@needs.tools("qemu-io")
async def test_qemu_io_writes_zeroes_discards_and_flushes(tmp_path: Path) -> None:
    """Each command reads back as it should, also where it is not aligned to blocks."""
    async with served(tmp_path) as at:
        said = await qemu_io(
            at.uri,
            "write -P 0xaa 0 1M",
            "write -f -P 0xbb 4k 4k",
            "aio_write -P 0xcc 1000 77",
            "aio_flush",
            "flush",
            "write -z 64k 64k",
            "write -z -u -f 128k 64k",
            "write -z 200000 3",
            "discard 256k 256k",
            "read -P 0xbb 4k 4k",
            "read -P 0xcc 1000 77",
            "read -P 0xaa 1077 3019",
            "read -P 0 64k 128k",
            "read -P 0 200000 3",
            "read -P 0xaa 200003 1000",
            "read -P 0 256k 256k",
            "read -P 0xaa 512k 512k",
        )
        assert "verification failed" not in said
        assert "failed" not in said
        assert at.content()[4096:8192] == b"\xbb" * 4096


@needs.tools("qemu-io", "qemu-img")
async def test_qemu_img_maps_what_is_allocated(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        await qemu_io(at.uri, "write -P 1 1M 64k", "discard 1M 32k")
        extents = json.loads(await run("qemu-img", "map", "-f", "raw", "--output=json", at.uri))
    data = [(each["start"], each["length"]) for each in extents if each["data"]]
    assert data == [(MEBIBYTE + 32768, 32768)]


@needs.tools("qemu-io")
async def test_a_read_only_export_refuses_qemu(tmp_path: Path) -> None:
    """It is not even opened for writing, and is read well."""
    async with served(tmp_path, read_only=True) as at:
        ran = await attempt("qemu-io", "-f", "raw", "-c", "write 0 4k", at.uri)
        assert ran.code == 1
        await qemu_io(at.uri, "read -P 0 0 1M", read_only=True)
        assert at.content() == bytes(16 * MEBIBYTE)


async def fio(folder: Path, uri: str, *arguments: str) -> None:
    # fio tells on standard output that it has connected, so its report goes to a file.
    report = folder / "report.json"
    await run(
        "fio",
        "--name=verify",
        "--ioengine=nbd",
        f"--uri={uri}",
        "--size=16M",
        "--randseed=7",
        "--output-format=json",
        f"--output={report}",
        *arguments,
    )
    (job,) = json.loads(report.read_text())["jobs"]
    assert job["error"] == 0
    assert job["write"]["io_bytes"] > 0
    assert job["read"]["io_bytes"] > 0


@needs.tools("fio")
@pytest.mark.parametrize(
    "load",
    [
        ("--rw=randwrite", "--bs=4k", "--iodepth=32", "--fsync=64"),
        ("--rw=write", "--bs=1M", "--iodepth=8"),
        ("--rw=randwrite", "--bsrange=512-128k", "--bs_unaligned=1", "--iodepth=16"),
    ],
    ids=["small", "large", "unaligned"],
)
async def test_fio_verifies_what_it_wrote(tmp_path: Path, load: tuple[str, ...]) -> None:
    async with served(tmp_path) as at:
        await fio(
            tmp_path, at.uri, "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", *load
        )


@needs.tools("nbdcopy", "qemu-io")
async def test_a_client_at_work_is_sent_away_whole(tmp_path: Path) -> None:
    """At a failover a copy ends with an error, and the server is ready for the next client."""
    source = image(tmp_path)
    async with served(tmp_path) as at:
        copying = asyncio.ensure_future(attempt("nbdcopy", source, at.uri))
        while not at.server.clients("vol"):  # noqa: ASYNC110  the client is another process
            await asyncio.sleep(0)
        await at.server.disconnect("vol")
        assert at.server.clients("vol") == 0
        await copying
        await qemu_io(at.uri, "write -P 5 0 64k", "read -P 5 0 64k")


@needs.tools("e2fsck", "mke2fs", "nbdfuse")
@needs.fuse()
async def test_a_file_system_lives_on_an_export(tmp_path: Path) -> None:
    """Made and checked through the kernel, by way of FUSE."""
    mounted = tmp_path / "mounted"
    mounted.write_bytes(b"")
    async with served(tmp_path) as at:
        nbdfuse = needs.find("nbdfuse")
        assert nbdfuse is not None
        pid_file = tmp_path / "pid"
        process = await asyncio.create_subprocess_exec(
            nbdfuse, "--pidfile", str(pid_file), str(mounted), at.uri
        )
        # A file tells that it is mounted.
        while not pid_file.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        try:
            await run("mke2fs", "-q", "-t", "ext4", "-d", str(Path(__file__).parent), mounted)
            await run("e2fsck", "-f", "-n", mounted)
        finally:
            await run("fusermount3", "-u", mounted)
            await process.wait()
        await run("e2fsck", "-f", "-n", at.path)
