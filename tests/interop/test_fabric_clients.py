"""What NBD clients write through the primary's export is read on the other side after a failover.

One fabric with an owner and two site processes serves all tests; each changes the roles once, so
every client has been on both sides.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from srshell.backends import launch
from srshell.fabric.place import FabricPlace
from srshell.fabric.sync_client import SyncFabric, connect
from srshell.model.errors import SrError
from srshell.site.process_lock import ProcessMark, living_site
from tests import needs
from tests.process.deadlines import wait_for

MEBIBYTE: Final = 1024 * 1024
SIZE_BYTES: Final = 16 * MEBIBYTE


@attrs.frozen
class Protected:
    """A fabric with the groups groupA and groupB in sync, both volumes exported."""

    fabric: SyncFabric
    folder: Path

    @property
    def primary(self) -> str:
        """The array that leads."""
        rows = self.fabric.status("groupA").groups
        (leading,) = [row.array for row in rows if row.is_primary]
        return str(leading)

    def uri(self, array: str) -> str:
        """Return where the volume of a side is served."""
        return str(self.fabric.nbd(f"vol{array}").uri)

    def switch(self) -> str:
        """Change the roles; return the array that leads now."""
        if self.primary == "A":
            self.fabric.failover("groupA", "planned", confirm="groupB")
        else:
            self.fabric.failback("groupB", confirm="groupA")
        return self.primary

    def equal(self) -> bool:
        """Compare both sides."""
        return bool(self.fabric.verify("groupA").equal)


def run(tool: str, *arguments: str | Path) -> str:
    """Run a program that must succeed."""
    ran = attempt(tool, *arguments)
    assert ran.returncode == 0, ran
    return ran.stdout


def attempt(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = needs.find(tool)
    assert path is not None, tool
    command = [path, *map(str, arguments)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def qemu_io(uri: str, *commands: str) -> str:
    arguments = [each for command in commands for each in ("-c", command)]
    said = run("qemu-io", "-t", "none", "-f", "raw", *arguments, uri)
    assert "failed" not in said, said
    return said


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """Take the article's steps; in the end no process is left."""
    folder = tmp_path_factory.mktemp("n")
    place = FabricPlace(folder / "f")
    fabric = connect(place.directory)
    try:
        for array in "AB":
            (folder / array).mkdir()
            pool = fabric.discover(folder / array, array).pools[0].name
            fabric.classify(f"{array}/{pool}", "gold")
        fabric.pair("A", "B")
        fabric.provision_pair("volA", "volB", SIZE_BYTES, logs=("logA", "logB"), log_size="16M")
        for array in "AB":
            fabric.create_group(f"group{array}", f"vol{array}", f"log{array}")
        fabric.enable("groupA", "groupB")
        fabric.refresh()
        fabric.wait("groupA", "Synchronizing", timeout=40)
        yield Protected(fabric, folder)
    finally:
        with suppress(SrError):
            fabric.stop_owner()
        fabric.close()
        end(place)


def end(place: FabricPlace) -> None:
    """End what a failed test has left of this fabric."""
    text = place.owner_lock.read_text().strip() if place.owner_lock.exists() else ""
    marks = [ProcessMark.of(int(text)) if text.isdigit() else None]
    marks += [living_site(place.directory / "sites" / array / "site.lock") for array in "AB"]
    for mark in marks:
        if mark is not None:
            launch.send(mark, signal.SIGKILL)


def in_sync(protected: Protected) -> str:
    protected.fabric.wait("groupA", "Synchronizing", timeout=40)
    return protected.primary


@needs.tools("nbdinfo")
def test_nbdinfo_is_served_by_the_side_that_leads_alone(protected: Protected) -> None:
    """A secondary has no export: what it holds may still be rolled back."""
    for _ in range(2):
        primary = in_sync(protected)
        secondary = "B" if primary == "A" else "A"
        document: dict[str, Any] = json.loads(run("nbdinfo", "--json", protected.uri(primary)))
        assert document["exports"][0]["export-size"] == SIZE_BYTES
        assert document["exports"][0]["is_read_only"] is False
        assert protected.fabric.nbd(f"vol{secondary}").read_only
        assert attempt("nbdinfo", protected.uri(secondary)).returncode == 1
        protected.switch()


@needs.tools("qemu-io")
def test_qemu_io_reads_on_the_other_side_what_it_wrote_before(protected: Protected) -> None:
    """Writes, zeroes, discards, flushes and FUA, aligned to blocks and not."""
    primary = in_sync(protected)
    qemu_io(
        protected.uri(primary),
        "write -P 0xaa 0 1M",
        "write -f -P 0xbb 4k 4k",
        "aio_write -P 0xcc 1000 77",
        "aio_flush",
        "write -z 64k 64k",
        "write -z -u -f 128k 64k",
        "discard 256k 256k",
        "write -P 0xdd 15M 1M",
        "flush",
    )
    reads = (
        "read -P 0xaa 0 1000",
        "read -P 0xcc 1000 77",
        "read -P 0xbb 4k 4k",
        "read -P 0 64k 128k",
        "read -P 0 256k 256k",
        "read -P 0xaa 512k 512k",
        "read -P 0xdd 15M 1M",
    )
    other = protected.switch()
    assert other != primary
    assert "verification failed" not in qemu_io(protected.uri(other), *reads)
    qemu_io(protected.uri(other), "write -P 0xee 0 1M")
    back = protected.switch()
    said = qemu_io(protected.uri(back), "read -P 0xee 0 1M", *reads[-1:])
    assert "verification failed" not in said
    in_sync(protected)
    assert protected.equal()


@needs.tools("nbdcopy")
def test_nbdcopy_copies_out_on_the_other_side_what_it_copied_in(protected: Protected) -> None:
    """An image with data and holes, over several connections."""
    image, copy = protected.folder / "image", protected.folder / "copy"
    quarter = SIZE_BYTES // 4
    image.write_bytes(random.Random(5).randbytes(quarter) + bytes(2 * quarter) + b"end" * 100)
    with image.open("r+b") as file:
        file.truncate(SIZE_BYTES)
    primary = in_sync(protected)
    run("nbdcopy", "--connections=4", "--flush", image, protected.uri(primary))
    other = protected.switch()
    run("nbdcopy", "--connections=4", protected.uri(other), copy)
    assert copy.read_bytes() == image.read_bytes()
    in_sync(protected)
    assert protected.equal()


@needs.tools("fio")
def test_fio_verifies_on_the_other_side_what_it_wrote_before(protected: Protected) -> None:
    """Random writes at depth 16, with checksums in every block."""
    report = protected.folder / "report.json"

    def fio(uri: str, *arguments: str) -> dict[str, Any]:
        run(
            "fio",
            "--name=verify",
            "--ioengine=nbd",
            f"--uri={uri}",
            "--rw=randwrite",
            "--bsrange=4k-64k",
            "--iodepth=16",
            "--size=8M",
            "--randseed=7",
            "--verify=crc32c",
            "--verify_fatal=1",
            f"--aux-path={protected.folder}",
            "--output-format=json",
            f"--output={report}",
            *arguments,
        )
        (job,) = json.loads(report.read_text())["jobs"]
        assert job["error"] == 0
        return dict(job)

    written = fio(protected.uri(in_sync(protected)), "--do_verify=0")
    assert written["write"]["io_bytes"] > 0
    other = protected.switch()
    read = fio(protected.uri(other), "--verify_only=1")
    assert read["read"]["io_bytes"] > 0
    in_sync(protected)
    assert protected.equal()


def acknowledged(protected: Protected) -> int:
    """Return the last LSN that was acknowledged."""
    return max(int(row.acked_lsn) for row in protected.fabric.status("groupA").groups)


@needs.tools("nbdcopy", "qemu-io")
def test_a_client_at_work_is_sent_away_by_a_failover(protected: Protected) -> None:
    """It is answered or cut off, never left waiting; what it was told is on the other side."""
    primary = in_sync(protected)
    image = protected.folder / "work"
    image.write_bytes(random.Random(6).randbytes(SIZE_BYTES))
    nbdcopy = needs.find("nbdcopy")
    assert nbdcopy is not None
    command = [nbdcopy, str(image), protected.uri(primary)]
    before = acknowledged(protected)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as copying:
        wait_for(lambda: acknowledged(protected) > before, "the copy has begun")
        other = protected.switch()
        copying.communicate(timeout=30)
    assert other != primary
    assert attempt("qemu-io", "-f", "raw", "-c", "write 0 4k", protected.uri(primary)).returncode
    qemu_io(protected.uri(other), "write -P 0x11 0 64k", "read -P 0x11 0 64k")
    in_sync(protected)
    assert protected.equal()
