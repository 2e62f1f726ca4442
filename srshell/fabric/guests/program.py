"""Where qemu is, how a guest is started, and whether KVM really runs one.

Always true:

(1) KVM is used only after a guest of 512 bytes has run under it on this machine since it booted: a
    ``/dev/kvm`` that can be opened and runs nothing is common where machines run inside machines.
(2) A guest's disk is the NBD export and nothing else; on an error it stops and waits, and is told
    nothing.
(3) The guest has no network, and qemu may start no program.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from srshell.fabric.guests.config import GuestConfig
from srshell.model.geometry import MIB

PROGRAM: Final = "qemu-system-x86_64"
PACKAGE: Final = "qemu-system-x86"

#: How long qemu waits for the export when it starts, and for its return later, in seconds.
_OPEN_SECONDS: Final = 30
_RECONNECT_SECONDS: Final = 5
_PROBE_SECONDS: Final = 5.0
_KVM: Final = Path("/dev/kvm")

# mov al, 0x10; out 0xf4, al; hlt; jmp -3: a write to the port of isa-debug-exit ends qemu.
_SECTOR: Final = bytes.fromhex("b010e6f4f4ebfd").ljust(510, b"\0") + b"\x55\xaa"
_PROBE_DISK_BYTES: Final = MIB
_PROBE_STATUS: Final = 0x10 << 1 | 1


def find_program() -> str | None:
    """The path of qemu; None if it is not installed."""
    return shutil.which(PROGRAM)


def guest_command(program: str, config: GuestConfig, accelerator: str) -> list[str]:
    """The command line of a guest; it is run in the machine's own directory."""
    hardware = config.hardware
    disk = {
        "driver": "nbd",
        "node-name": "disk",
        "server": {"type": "unix", "path": config.nbd_socket},
        "export": config.volume,
        "open-timeout": _OPEN_SECONDS,
        "reconnect-delay": _RECONNECT_SECONDS,
        "discard": "unmap",
    }
    command = [
        program,
        *("-name", config.name.replace(",", ",,")),
        *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
        *_machine(accelerator),
        *("-m", str(max(1, hardware.memory_bytes // MIB))),
        *("-blockdev", json.dumps(disk)),
        *("-device", "virtio-blk-pci,drive=disk,bootindex=1,werror=stop,rerror=stop"),
        *("-device", "virtio-rng-pci"),
        *("-chardev", "file,id=console,path=console,append=on", "-serial", "chardev:console"),
        *("-qmp", "stdio"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny"),
    ]
    if hardware.kernel:
        command += ["-kernel", hardware.kernel]
        command += ["-initrd", hardware.initrd] if hardware.initrd else []
        command += ["-append", hardware.append] if hardware.append else []
    return command


def _machine(accelerator: str) -> list[str]:
    """The machine and its processor."""
    processor = "host" if accelerator == "kvm" else "max"
    return ["-machine", f"q35,accel={accelerator}", "-cpu", processor]


def choose_accelerator(program: str, wanted: str, memory: Path) -> str:
    """Return ``kvm`` or ``tcg``.  Blocks, for some seconds where KVM runs nothing.

    Args:
        program: qemu.
        wanted: ``auto`` asks a probe; anything else is taken as it is.
        memory: a file that remembers what the probe found, until the machine boots again.
    """
    if wanted != "auto":
        return wanted
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return "tcg"
    asked = {"boot": _boot_identity(), "program": program}
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        known = {}
    if isinstance(known, dict) and {**known, **asked} == known and "accelerator" in known:
        return str(known["accelerator"])
    found = "kvm" if boots(program, "kvm") else "tcg"
    memory.write_text(json.dumps({**asked, "accelerator": found}))
    return found


def boots(program: str, accelerator: str) -> bool:
    """Whether a guest of one sector boots from its disk and says so.  Blocks."""
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.write_bytes(_SECTOR + bytes(_PROBE_DISK_BYTES - len(_SECTOR)))
        command = [
            program,
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *_machine(accelerator),
            *("-m", "32", "-no-reboot"),
            *("-drive", f"file={disk},format=raw,if=virtio,readonly=on"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        ]
        try:
            ran = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                timeout=_PROBE_SECONDS,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
    return ran.returncode == _PROBE_STATUS


def _boot_identity() -> str:
    """A name for the time since this machine booted."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
