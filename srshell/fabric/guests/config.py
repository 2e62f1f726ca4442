"""What a guest is: its definition, and the files beside it.

Always true: the definition stays when the machine is removed, so that it is found again on the
other side with the replicated data.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import attrs

from srshell.fabric.writer import MachineConfig, MachineFiles
from srshell.model.geometry import MIB

KIND: Final = "qemu"
MEMORY_BYTES_DEFAULT: Final = 256 * MIB
#: How long a guest may take to shut down by itself before its power is cut, in seconds.
STOP_SECONDS: Final = 20.0


@attrs.frozen
class Hardware:
    """What a guest runs on, but for its disk."""

    memory_bytes: int = MEMORY_BYTES_DEFAULT
    kernel: str = ""  # booted directly; empty: the disk boots by itself
    initrd: str = ""
    append: str = ""  # the kernel's command line
    accelerator: str = "auto"  # auto, kvm or tcg


@attrs.frozen
class GuestConfig:
    """The definition of one guest; the owner writes it, the guest's process reads it."""

    name: str
    array: str
    volume: str
    nbd_socket: str
    fabric: str  # identity
    hardware: Hardware = attrs.field(factory=Hardware)
    stop_seconds: float = STOP_SECONDS
    kind: str = KIND


def console_of(files: MachineFiles) -> Path:
    """What the guest wrote to its serial port, from its first start on."""
    return files.directory / "console"


def read_definition(files: MachineFiles) -> dict[str, Any]:
    """What a machine of any kind was told; empty when nobody told it anything readable."""
    try:
        said = json.loads(files.config.read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def kind_of(files: MachineFiles) -> str:
    """The kind of a machine, as its definition says."""
    return str(read_definition(files).get("kind", "writer"))


def read_guest(files: MachineFiles) -> GuestConfig:
    """The definition of a guest."""
    said = read_definition(files)
    return GuestConfig(**{**said, "hardware": Hardware(**said["hardware"])})


def write_definition(files: MachineFiles, config: GuestConfig | MachineConfig) -> None:
    """Replace the definition of a machine of any kind."""
    files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = files.config.with_suffix(".new")
    fresh.write_text(json.dumps(attrs.asdict(config)))
    fresh.replace(files.config)
