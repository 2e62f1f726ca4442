"""Guests: what qemu is told, what it answers, who may start one, and when one is to run."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from srshell.fabric import checks
from srshell.fabric.checks_machines import leading_twin
from srshell.fabric.guests.config import (
    KIND,
    GuestConfig,
    Hardware,
    kind_of,
    read_guest,
    write_definition,
)
from srshell.fabric.guests.program import choose_accelerator, guest_command
from srshell.fabric.guests.qmp import Qmp, QmpError
from srshell.fabric.recovery import watch_machines
from srshell.fabric.session import FabricSession
from srshell.fabric.verbs.guests import should_run, twin_of, with_hardware
from srshell.fabric.writer import MachineFiles, lock_directory
from srshell.model.errors import SrError
from srshell.model.geometry import MIB
from srshell.model.inventory import Profile, Vm
from tests.unit.fabric.refusals import SEALED
from tests.unit.fabric.world import GONE, PARTNERSHIP, A, B, failed_over, protected, view

OLD = Vm("DemoVM", "PrimaryVol", "PriRG", A, KIND)
NEW = Vm("DemoVM", "RecoveryVol", "RecRG", B, KIND)
GUEST = GuestConfig("DemoVM", A, "PrimaryVol", "/run/a,b/ClusterA.nbd", "f")


def test_a_guest_runs_where_its_volume_is_writable() -> None:
    """R57, R67: on the primary, and nowhere else; nobody decides while roles change."""
    assert should_run(protected(), OLD) is True
    assert should_run(failed_over(), OLD) is False
    assert should_run(failed_over(), NEW) is True
    assert should_run(failed_over(here=GONE), OLD) is False  # the other side leads for certain
    assert should_run(failed_over(there=GONE), OLD) is False
    assert should_run(protected(SEALED), OLD) is None
    assert should_run(attrs.evolve(protected(), busy={PARTNERSHIP: "job 1"}), OLD) is None
    assert should_run(protected(here=GONE), OLD) is None
    assert should_run(view(), OLD) is True  # not protected at all


def test_a_machine_follows_its_data_after_a_failover() -> None:
    """R66: by its own name; before the failover the other side is refused."""
    known = failed_over(vms=(OLD,))
    verdict = checks.check_add_vm(known, "DemoVM", "RecoveryVol")
    assert verdict.allowed
    assert twin_of(known.snapshot, "RecoveryVol") == "PrimaryVol"
    before = checks.check_add_vm(protected(vms=(OLD,)), "DemoVM", "RecoveryVol")
    assert [error.code for error in before.errors] == ["SR0103"]


def test_the_disk_of_a_guest_is_the_export_and_stops_on_errors() -> None:
    """A guest never hears of a failover as a disk error; commas in paths split nothing."""
    command = guest_command("qemu", GUEST, "tcg")
    (disk,) = [json.loads(word) for word in command if word.startswith('{"driver"')]
    assert disk["server"] == {"type": "unix", "path": GUEST.nbd_socket}
    assert disk["export"] == "PrimaryVol"
    assert "virtio-blk-pci,drive=disk,bootindex=1,werror=stop,rerror=stop" in command
    assert command[command.index("-m") + 1] == "256"
    assert "-kernel" not in command
    hardware = Hardware(512 * MIB, "/boot/vmlinuz", "/boot/initrd", "console=ttyS0")
    direct = guest_command("qemu", attrs.evolve(GUEST, hardware=hardware), "kvm")
    assert direct[-6:] == [
        "-kernel", "/boot/vmlinuz", "-initrd", "/boot/initrd", "-append", "console=ttyS0",
    ]  # fmt: skip
    assert "q35,accel=kvm" in direct


def test_a_definition_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What was not asked for is what it was."""
    files = MachineFiles(tmp_path / "DemoVM")
    config = attrs.evolve(GUEST, hardware=Hardware(kernel="/k", append="quiet"))
    write_definition(files, config)
    assert (read_guest(files), kind_of(files)) == (config, KIND)
    assert with_hardware(None, None, None, None, None) is None
    assert with_hardware(64 * MIB, None, None, None, None) == Hardware(64 * MIB)


def test_what_a_probe_found_holds_until_the_machine_boots_again(tmp_path: Path) -> None:
    """A word for an accelerator is taken as it is, and nothing is probed."""
    assert choose_accelerator("no such qemu", "tcg", tmp_path / "memory") == "tcg"
    assert choose_accelerator("no such qemu", "auto", tmp_path / "memory") == "tcg"


class Wire:
    """The other end of a conversation with qemu."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.written: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.written.append(json.loads(data))

    def say(self, **line: object) -> None:
        self.reader.feed_data(json.dumps(line).encode() + b"\n")


async def test_answers_go_to_their_commands_and_events_to_whoever_listens() -> None:
    """Also when they are mixed, and when qemu vanishes in the middle."""
    wire, heard = Wire(), list[str]()
    qmp = Qmp(
        wire.reader, cast("asyncio.StreamWriter", wire), lambda event, _data: heard.append(event)
    )
    wire.say(QMP={})
    await qmp.read_greeting()
    listening = asyncio.create_task(qmp.run())
    asked = [asyncio.create_task(qmp.execute(word)) for word in ("a", "b", "c")]
    await asyncio.sleep(0)  # they have been asked
    wire.say(event="STOP")
    wire.say(**{"return": 1})
    wire.say(error={"desc": "no"})
    assert await asked[0] == 1
    with pytest.raises(QmpError, match="no"):
        await asked[1]
    wire.reader.feed_data(b'{"retu')
    wire.reader.feed_eof()
    with pytest.raises(QmpError, match="gone"):
        await asked[2]
    await listening
    assert heard == ["STOP"]
    assert [line["execute"] for line in wire.written] == ["a", "b", "c"]


def test_looking_whether_a_machine_runs_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """Who looks holds the lock for a moment; the machine waits for that moment."""
    files = MachineFiles(tmp_path)
    looking = os.open(files.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert files.running_pid() == 0  # those who look do not take each other for the machine
    timer = threading.Timer(0.02, os.close, (looking,))
    timer.start()
    lock = lock_directory(files)
    timer.join()
    assert lock >= 0
    assert files.running_pid() == os.getpid()
    os.close(lock)


async def test_a_machine_is_not_told_to_have_started_twice(protected: FabricSession) -> None:
    """Who watches saw it before it ran, and waited for the lock while it was being started."""
    context = protected.context
    files = MachineFiles(context.place.machines / "vm")
    files.directory.mkdir(parents=True)
    files.config.write_text("{}")
    await context.machine_lock.acquire()
    context.put(Vm("vm", "PV", "PriRG", "A"))
    watching = asyncio.create_task(watch_machines(context))
    await asyncio.sleep(0)  # it waits for the lock
    running = lock_directory(files)
    context.machine_lock.release()
    await watching
    os.close(running)
    told = [event.code for event in await protected.events() if event.object == "vm"]
    assert told == []


async def test_what_cannot_run_here_names_its_package(
    protected: FabricSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without qemu nothing has changed afterwards; the volume can still be served."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SrError, match="SR9102") as refused:
        await protected.add_vm("vm", "PV", kind=KIND)
    assert "apt-get install qemu-system-x86" in str(refused.value.facts)
    assert refused.value.mend == "srshell nbd PV"
    with pytest.raises(SrError, match="SR0108"):
        await protected.add_vm("vm", "PV", memory="64M", kind="writer")
    assert not (await protected.vms()).vms


def test_a_secondary_is_shown_where_the_profile_allows_it() -> None:
    """The original dismounts it; its data is asked for from the side that leads."""
    known = protected()
    assert checks.check_export(known, "RecoveryVol", read_only=True).allowed
    assert leading_twin(known, "RecoveryVol") == "PrimaryVol"
    assert leading_twin(known, "PrimaryVol") is None
    strict = attrs.evolve(known, snapshot=attrs.evolve(known.snapshot, profile=Profile.SEED_STRICT))
    refused = checks.check_export(strict, "RecoveryVol", read_only=True)
    assert [error.code for error in refused.errors] == ["SR9113"]
    assert checks.check_export(strict, "PrimaryVol", read_only=True).allowed


def test_the_disk_of_a_guest_is_not_taken_away_from_it() -> None:
    known = protected(vms=(OLD,))
    refused = checks.check_export(known, "PrimaryVol", on=False)
    assert [error.mend for error in refused.errors] == ["srshell vm rm DemoVM"]
    assert checks.check_export(known, "PrimaryVol").allowed
