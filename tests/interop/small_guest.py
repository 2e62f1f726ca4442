"""A guest as small as it can be: a kernel of the distribution, busybox, modules for its disk.

The kernel is the one that is installed, or one that was unpacked into ``build/guest`` (`.ci/run`
does so: installing a kernel would cost more than running it).
"""

from __future__ import annotations

import gzip
import itertools
import lzma
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs

from tests import needs

_ROOTS: Final = (Path(__file__).parents[2] / "build" / "guest", Path("/"))
#: In an order in which each finds what it needs.
_MODULES: Final = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "evdev",
    "button",
)
#: Without what costs a third of the time that the kernel takes under emulation.
COMMAND_LINE: Final = (
    "console=ttyS0 quiet mitigations=off nokaslr tsc=reliable no_timer_check "
    "cryptomgr.notests random.trust_cpu=on"
)
_INIT: Final = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in /lib/*.ko; do insmod $module; done
mount -t ext4 /dev/vda /mnt && echo "guest: mounted"
mkdir -p /etc/acpi/PWRF
cat > /etc/acpi/PWRF/00000080 << 'end'
#!/bin/sh
echo "guest: the power button"
umount /mnt
poweroff -f
end
chmod +x /etc/acpi/PWRF/00000080
acpid -f -d &
if [ -e /mnt/letter ]; then
    echo "guest: found $(sha256sum < /mnt/letter)"
else
    head -c 100000 /dev/urandom > /mnt/letter
    sync
    echo "guest: wrote $(sha256sum < /mnt/letter)"
fi
while :; do sleep 1; done
"""


@attrs.frozen
class Kernel:
    """A kernel and the modules that belong to it."""

    image: Path
    modules: Path


def find_kernel() -> Kernel | None:
    """The newest kernel that can be read here, with modules for a disk."""
    for root in _ROOTS:
        for image in sorted(root.glob("boot/vmlinuz-*"), reverse=True):
            modules = root / "lib" / "modules" / image.name.removeprefix("vmlinuz-") / "kernel"
            if any(modules.glob("**/virtio_blk.ko*")):
                return Kernel(image, modules)
    return None


def make_initrd(kernel: Kernel, path: Path) -> None:
    """Write an initial RAM disk whose init mounts the disk, and writes or reads a letter there."""
    busybox = needs.find("busybox")
    assert busybox is not None
    numbers = itertools.count(1)
    directory, program = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755
    entries = [_entry(next(numbers), name, b"", directory)
               for name in ("bin", "dev", "proc", "sys", "mnt", "lib", "etc")]  # fmt: skip
    entries.append(_entry(next(numbers), "bin/busybox", Path(busybox).read_bytes(), program))
    for number, module in enumerate(_modules(kernel)):
        entries.append(_entry(next(numbers), f"lib/{number:02}.ko", module, program))
    entries.append(_entry(next(numbers), "init", _INIT.encode(), program))
    entries.append(_entry(0, "TRAILER!!!", b"", 0))
    path.write_bytes(gzip.compress(b"".join(entries), 1))


def _modules(kernel: Kernel) -> Iterator[bytes]:
    """The modules that this kernel does not have built in."""
    for name in _MODULES:
        for file in itertools.chain(_named(kernel, name), _named(kernel, name.replace("_", "-"))):
            data = file.read_bytes()
            yield lzma.decompress(data) if file.suffix == ".xz" else data
            break


def _named(kernel: Kernel, name: str) -> Iterable[Path]:
    return kernel.modules.glob(f"**/{name}.ko*")


def _entry(number: int, name: str, data: bytes, mode: int) -> bytes:
    """One file of a cpio archive, format newc."""
    path = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
