"""Tests of tests.own_mounts."""

import signal
import subprocess
import sys
from pathlib import Path

from tests import needs

ROOT = Path(__file__).parents[2]

BROKEN_OFF = """
import os, signal, subprocess, sys
from tests import own_mounts
assert own_mounts.take()
subprocess.run([sys.argv[1], "-t", "tmpfs", "srshell-test", sys.argv[2]], check=True)
assert os.path.ismount(sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""

CONFIGURED = """
import os
from unittest import mock
from tests import conftest
before = os.readlink("/proc/self/ns/mnt")
conftest.pytest_configure(mock.Mock(spec=["pluginmanager"]))
assert os.readlink("/proc/self/ns/mnt") != before
"""


@needs.loop_devices()
@needs.tools("mount")
def test_a_run_broken_off_leaves_nothing_mounted(tmp_path: Path) -> None:
    mount = needs.find("mount")
    assert mount is not None
    place = tmp_path / "place"
    place.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN_OFF, mount, place], cwd=ROOT, check=False, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    assert not place.is_mount()
    place.rmdir()


@needs.loop_devices()
def test_every_run_takes_mounts_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", CONFIGURED], cwd=ROOT, check=True, timeout=60)
