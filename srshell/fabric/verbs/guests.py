"""Guests, machines of kind qemu, as the owner sees them: defined, filled, started, stopped.

Always true:

(1) A guest runs where its volume is writable: it is stopped before its group gives its role up, and
    is never started on a secondary.
(2) A guest that shut down by itself, or could not be started, is not started again unasked.
(3) A template is written to a volume that holds no data, and to no other.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Final

import attrs

from srshell.fabric.context import Context
from srshell.fabric.guests.config import (
    KIND,
    GuestConfig,
    Hardware,
    read_definition,
    read_guest,
)
from srshell.fabric.guests.program import PACKAGE, PROGRAM, find_program
from srshell.fabric.jobs import JobHandle
from srshell.fabric.snapshot import Snapshot, View
from srshell.fabric.writer import MachineFiles
from srshell.model.errors import SrError
from srshell.model.geometry import format_size
from srshell.model.inventory import Vm
from srshell.model.replica import ReplicaRole
from srshell.site.rundir import run_directory, socket_path

_IMAGE_FORMATS: Final = frozenset({"raw", "qcow2"})
_LOOK_SECONDS: Final = 0.1


def twin_of(snapshot: Snapshot, volume: str) -> str | None:
    """The volume with the same data at the other side; None for one that is not replicated."""
    group = snapshot.group_of_volume(volume)
    partnership = snapshot.partnership_of(group.name) if group is not None else None
    if group is None or partnership is None or volume not in group.data:
        return None
    other = snapshot.find_group(partnership.other(group.name))
    index = group.data.index(volume)
    return other.data[index] if other is not None and index < len(other.data) else None


def find_definition(context: Context, name: str, volume: str) -> MachineFiles | None:
    """The machine whose definition came with the data of a volume from the other side.

    One of the name that is asked for is preferred, wherever it was; then the one that was defined
    last.
    """
    twin = twin_of(context.snapshot, volume)
    found: list[tuple[bool, float, MachineFiles]] = []
    for directory in context.place.machines.glob("*"):
        files = MachineFiles(directory)
        where = read_definition(files).get("volume")
        if where is not None and (where == twin or (directory.name, where) == (name, volume)):
            found.append((directory.name == name, files.config.stat().st_mtime, files))
    return max(found, key=lambda each: each[:2])[2] if found else None


def define_guest(
    context: Context, vm: Vm, hardware: Hardware | None, model: MachineFiles | None
) -> GuestConfig:
    """The definition of a guest: as was asked, else as that of ``model``, else the smallest."""
    if hardware is None:
        known = model is not None and read_definition(model).get("kind") == KIND
        hardware = read_guest(model).hardware if known and model is not None else Hardware()
    sockets = run_directory(context.place.directory)
    return GuestConfig(
        name=vm.name,
        array=vm.array,
        volume=vm.volume,
        nbd_socket=str(socket_path(sockets, vm.array, "nbd")),
        fabric=context.identity,
        hardware=hardware,
    )


def check_installed(volume: str, hardware: Hardware | None) -> None:
    """Refuse what this machine cannot run.

    Raises:
        SrError: SR9102, qemu is not installed; SR9222, a file that is to be booted is not there.
    """
    if find_program() is None:
        facts = f"{PROGRAM} is not installed (Debian: apt-get install {PACKAGE})"
        raise SrError.make("SR9102", facts=facts, kind=KIND, volume=volume)
    for file in (hardware.kernel, hardware.initrd) if hardware is not None else ():
        if file and not Path(file).is_file():
            raise SrError.make("SR9222", facts="there is no such file", file=file)


def should_run(view: View, vm: Vm) -> bool | None:
    """Whether a guest is to run now; None while that is being changed, or nobody knows."""
    group = view.snapshot.group_of_volume(vm.volume)
    partnership = view.snapshot.partnership_of(group.name) if group is not None else None
    if group is None or partnership is None:
        return True
    if partnership.partnership in view.busy:
        return None
    leader = view.primary_of(group.name)
    if leader is not None and leader != group.name and view.fresh(leader):
        return False  # whatever became of the side where it ran
    report = view.report(group.name)
    if report is None or not view.fresh(group.name):
        return None
    if report.role is not ReplicaRole.PRIMARY:
        return False
    return None if report.sealed else True


def running_guests(context: Context, group: str) -> tuple[Vm, ...]:
    """The guests on the volumes of a group that run."""
    directory = context.place.machines
    return tuple(
        vm
        for vm in context.snapshot.vms
        if vm.kind == KIND
        and (found := context.snapshot.group_of_volume(vm.volume)) is not None
        and found.name == group
        and MachineFiles(directory / vm.name).running_pid()
    )


async def serve_disk(context: Context, vm: Vm) -> None:
    """Let the site of a guest serve its volume."""
    await context.site(vm.array).export(vm.volume)


async def check_template(volume: str, size_bytes: int, image: str) -> str:
    """The format of an image that can be written to a volume.

    Raises:
        SrError: SR9102, qemu-img is not installed; SR9111, it is no such image.
    """
    if shutil.which("qemu-img") is None:
        facts = "qemu-img is not installed (Debian: apt-get install qemu-utils)"
        raise SrError.make("SR9102", facts=facts, kind=KIND, volume=volume)
    told = await _qemu_img(volume, image, "info", "--output=json", image)
    said: dict[str, Any] = json.loads(told)
    form = str(said.get("format", ""))
    elsewhere = dict(said.get("format-specific", {}).get("data", {})).get("data-file")
    if form not in _IMAGE_FORMATS:
        raise _unfit(image, volume, f"its format is {form}; raw and qcow2 can be written")
    if said.get("backing-filename") or elsewhere:
        raise _unfit(image, volume, "a part of it lies in another file; convert it first")
    wanted = int(said["virtual-size"])
    if wanted > size_bytes:
        facts = f"it is a disk of {format_size(wanted)}, the volume has {format_size(size_bytes)}"
        raise _unfit(image, volume, facts)
    return form


async def write_template(
    context: Context, handle: JobHandle, vm: Vm, image: str, form: str
) -> None:
    """Write an image to the volume of a guest, through its export as the guest itself would.

    Raises:
        SrError: SR9111, the volume holds data, or qemu-img failed; SR0107, the job was cancelled.
    """
    site = context.site(vm.array)
    told = await site.describe()
    export = await site.export(vm.volume)
    try:
        await _check_blank(vm.volume, image, told.nbd_socket)
        command = ("convert", "-n", "-W", "-f", form, "-O", "raw", image, export.uri)
        await _qemu_img(vm.volume, image, *command, handle=handle)
    except BaseException:
        if vm.volume not in told.exports:
            await site.unexport(vm.volume)
        raise


async def _check_blank(volume: str, image: str, nbd_socket: str) -> None:
    """Refuse a volume that holds data."""
    # The format is said, so that qemu-img does not guess it from what the volume holds.
    server = {"type": "unix", "path": nbd_socket}
    disk = {"driver": "raw", "file": {"driver": "nbd", "server": server, "export": volume}}
    extents = await _qemu_img(volume, image, "map", "--output=json", f"json:{json.dumps(disk)}")
    if any(extent["data"] and not extent["zero"] for extent in json.loads(extents)):
        raise _unfit(image, volume, "the volume holds data already")


async def _qemu_img(
    volume: str, image: str, *arguments: str, handle: JobHandle | None = None
) -> str:
    """Run qemu-img; what it prints."""
    process = await asyncio.create_subprocess_exec(
        "qemu-img", *arguments, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    talking = asyncio.create_task(process.communicate())
    try:
        while not talking.done():
            await asyncio.wait({talking}, timeout=_LOOK_SECONDS)
            if handle is not None:
                handle.checkpoint()
    except BaseException:
        if process.returncode is None:
            process.kill()
        await talking
        raise
    output, errors = talking.result()
    if process.returncode:
        problem = errors.decode(errors="replace").strip().splitlines()
        raise _unfit(image, volume, problem[-1] if problem else "qemu-img failed")
    return output.decode()


def _unfit(image: str, volume: str, facts: str) -> SrError:
    return SrError.make("SR9111", facts=facts, file=image, volume=volume)


def with_hardware(
    memory_bytes: int | None, kernel: str | None, initrd: str | None, append: str | None,
    accelerator: str | None,
) -> Hardware | None:  # fmt: skip
    """What was asked for; None when nothing was."""
    asked = {
        "memory_bytes": memory_bytes,
        "kernel": kernel,
        "initrd": initrd,
        "append": append,
        "accelerator": accelerator,
    }
    given: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    return attrs.evolve(Hardware(), **given) if given else None
