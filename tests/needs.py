"""What a test needs beyond Python, as marks that skip it with the reason.

Tools are looked for where an administrator's shell would find them: an ordinary user's PATH often
lacks the folders that hold mke2fs and losetup.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ADMIN_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_DEBIAN_PACKAGE = {
    "busybox": "busybox-static",
    "cc": "gcc",
    "debugfs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fio": "fio",
    "fusermount3": "fuse3",
    "losetup": "mount",
    "mke2fs": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "nbdcopy": "libnbd-bin",
    "nbdfuse": "libnbd-bin",
    "nbdinfo": "libnbd-bin",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
    "qemu-nbd": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "strace": "strace",
    "tmux": "tmux",
    "xfs_repair": "xfsprogs",
}


def find(tool: str) -> str | None:
    """Return the path of a tool, or None if it is not installed."""
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *_ADMIN_FOLDERS]
    return shutil.which(tool, path=os.pathsep.join(folders))


def tools(*names: str) -> pytest.MarkDecorator:
    """Skip unless every tool is installed; the reason names the Debian packages."""
    missing = [name for name in names if find(name) is None]
    packages = sorted({_DEBIAN_PACKAGE.get(name, name) for name in missing})
    reason = f"needs {', '.join(missing)} (Debian: {', '.join(packages)})"
    return pytest.mark.skipif(bool(missing), reason=reason)


def root() -> pytest.MarkDecorator:
    """Skip unless the tests run as root."""
    return pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def loop_devices() -> pytest.MarkDecorator:
    """Skip unless files can be attached as block devices and mounted."""
    usable = os.geteuid() == 0 and Path("/dev/loop-control").exists() and bool(find("losetup"))
    return pytest.mark.skipif(not usable, reason="needs root and loop devices (/dev/loop-control)")


def tracing() -> pytest.MarkDecorator:
    """Skip unless this user may trace processes that are not its children."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    level = int(scope.read_text()) if scope.exists() else 0
    usable = level == 0 or (level < 3 and os.geteuid() == 0)
    reason = f"needs root, or {scope} to be 0 (it is {level})"
    return pytest.mark.skipif(not usable, reason=reason)


def fuse() -> pytest.MarkDecorator:
    """Skip unless this user may mount FUSE file systems."""
    usable = os.access("/dev/fuse", os.R_OK | os.W_OK) and bool(find("fusermount3"))
    return pytest.mark.skipif(not usable, reason="needs /dev/fuse and fusermount3 (Debian: fuse3)")


@functools.cache
def _system_python_has(module: str) -> bool:
    python = Path("/usr/bin/python3")
    if not python.exists():
        return False
    command = [str(python), "-I", "-c", f"import {module}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def system_python_module(module: str, package: str) -> pytest.MarkDecorator:
    """Skip unless /usr/bin/python3 can import a module that only the distribution ships."""
    reason = f"needs {module} for /usr/bin/python3 (Debian: {package})"
    return pytest.mark.skipif(not _system_python_has(module), reason=reason)
