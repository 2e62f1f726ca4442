"""A real guest on a replicated volume: it boots, mounts its disk, and finds its files elsewhere.

One guest for all that it has to show: it boots in seconds, but those are many.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from srshell.fabric.guests.config import console_of
from srshell.fabric.guests.program import boots, find_program
from srshell.fabric.writer import MachineFiles
from srshell.model.errors import SrError
from srshell.model.report import VmReport
from srshell.site.process_lock import ProcessMark
from tests import needs
from tests.interop.nbd_tools import run
from tests.interop.small_guest import COMMAND_LINE, find_kernel, make_initrd
from tests.process.deadlines import until
from tests.process.fabric_pair import SIZE_BYTES, FabricPair, open_fabric_pair

pytestmark = [
    needs.tools("qemu-system-x86_64", "qemu-img", "busybox", "mke2fs"),
    pytest.mark.skipif(
        find_kernel() is None,
        reason="needs a kernel with its modules (Debian: linux-image-cloud-amd64)",
    ),
]


async def make_template(folder: Path) -> Path:
    """A disk with an empty file system, in a format that has to be converted."""
    raw, image = folder / "disk.raw", folder / "disk.qcow2"
    with raw.open("wb") as file:
        file.truncate(SIZE_BYTES)
    await run("mke2fs", "-q", "-F", "-t", "ext4", raw)
    await run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    return image


def files_of(pair: FabricPair) -> MachineFiles:
    return MachineFiles(pair.place.machines / "guest")


async def said(pair: FabricPair, pattern: str) -> str:
    """Wait until the guest says something on its console; what the pattern's group holds."""
    console = console_of(files_of(pair))

    async def look() -> str | None:
        text = console.read_text(errors="replace") if console.exists() else ""
        found = re.findall(pattern, text)
        return found[-1] if found else None

    return await until(look, f"the guest says {pattern}", seconds=90)


async def state(pair: FabricPair) -> str:
    (row,) = (await pair.client.vms()).vms
    return row.state


async def add_first(pair: FabricPair, template: Path, initrd: Path) -> VmReport:
    """Add the guest; a template does not replace data."""
    kernel = find_kernel()
    assert kernel is not None

    async def add() -> VmReport | None:
        try:
            return await pair.client.add_vm(
                "guest", "volA", kind="qemu", memory="128M", template=template,
                kernel=kernel.image, initrd=initrd, append=COMMAND_LINE,
            )  # fmt: skip
        except SrError as error:
            if error.code != "SR9111" or "holds data" not in error.facts:
                raise
            return None

    assert await add() is None
    assert not (await pair.client.vms()).vms
    await pair.client.volume("volA").trim(0, SIZE_BYTES)
    return await until(add, "the trimmed volume takes the template")  # once that is applied


@pytest.mark.slow
async def test_a_guest_finds_its_files_on_the_other_side(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """R56-R58, R65, R66: added, detected, shut down for a failover, created from its data."""
    folder = tmp_path_factory.mktemp("g")
    initrd, kernel = folder / "initrd", find_kernel()
    assert kernel is not None
    make_initrd(kernel, initrd)
    template = await make_template(folder)
    async with open_fabric_pair(folder) as pair:
        added = await add_first(pair, template, initrd)
        assert (added.state, added.console) == ("running", str(console_of(files_of(pair))))
        row = await pair.row("A")
        assert [vm.name for vm in row.vms] == ["guest"]
        await die_and_return(pair)
        wrote = await said(pair, r"guest: wrote (\w{64})")

        done = await pair.client.failover("groupA", "planned", confirm="groupB")
        assert done.steps[0].name == "stop"
        assert await said(pair, "guest: the power button")
        assert await state(pair) == "stopped"
        await pair.client.wait("groupB", "Synchronizing", timeout=60)

        again = await pair.client.add_vm("guest", "volB")
        assert (again.kind, again.array, again.state) == ("qemu", "B", "running")
        assert await said(pair, r"guest: found (\w{64})") == wrote
        await pair.client.remove_vm("guest")
        assert (await pair.client.verify("groupB")).equal


async def die_and_return(pair: FabricPair) -> None:
    """The guest's process is killed: qemu goes with it, and the owner starts both again."""
    files = files_of(pair)
    first = files.read_state()["qemu_pid"]
    os.kill(files.running_pid(), signal.SIGKILL)

    async def other() -> bool:
        return files.running_pid() > 0 and files.read_state().get("qemu_pid", first) != first

    await until(other, "another qemu runs")
    # The lock that the first one held could not be had while it lived.
    assert ProcessMark.of(first) is None


def test_the_probe_tells_an_accelerator_that_boots_from_one_that_does_not() -> None:
    """The same sector boots under emulation everywhere; under a name that is none it cannot."""
    program = find_program()
    assert program is not None
    assert boots(program, "tcg")
    assert not boots(program, "nosuch")
