"""The dashboard over SSH: the line drops, the user is logged out, and the work goes on.

A server of the present user listens on loopback.  The owner is started by a dashboard in such a
session, as it is on a machine that people only reach that way.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

import srshell
from srshell.fabric.sync_client import SyncFabric
from srshell.model.inventory import Job, JobState
from srshell.model.report import GroupStatus, SiteRow
from srshell.model.states import ReplicationState
from tests import needs
from tests.tui import living
from tests.tui.sshd import Session, SshServer, Standing, ssh_server
from tests.tui.terminals import PATIENCE_SECONDS

#: Until a fault is taken back, in seconds; only when the test fails does it end by itself.
_LONG: Final = 300.0
_MIB: Final = 1 << 20
_COPIED_BYTES: Final = 56 * _MIB


@pytest.fixture
def server() -> Iterator[SshServer]:
    """The server, with its keys in a folder of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="srshell-ssh-") as folder,
        ssh_server(Path(folder)) as made,
    ):
        yield made


@pytest.mark.slow
@pytest.mark.timeout(300)  # eight processes of ours start one after another
@needs.tools("sshd", "ssh", "ssh-keygen")
def test_a_copy_and_a_failover_outlive_the_sessions_that_watched(
    tmp_path: Path, server: SshServer
) -> None:
    """One session loses its line and another one is logged out, in the middle of each."""
    first, second = opened(server, tmp_path), opened(server, tmp_path)
    first.terminal.see("● connected")
    with srshell.connect(tmp_path / "fabric", start=False) as client:
        try:
            protect(client, tmp_path)
            for session in (first, second):
                session.terminal.see("PriRG>RecRG", "ReadyForInitial")
            client.fault("disk", "slow", "ClusterB", seconds=_LONG)
            first.terminal.type(":refresh\r")
            first.terminal.see("refresh", "Run it?")
            first.terminal.type("\t\r")
            until(lambda: copied(client) > 0)
            with frozen(site_of(client, "ClusterB")):
                hang_up(dropped=first, logged_out=second)
                assert leader(client).replication_state is not ReplicationState.SYNCHRONIZING
            client.fault("disk", "slow", "ClusterB", seconds=0)
            ended(client, "refresh")
            client.wait("PriRG", timeout=PATIENCE_SECONDS)

            first, second = opened(server, tmp_path), opened(server, tmp_path)
            for session in (first, second):
                session.terminal.see("● connected", "PriRG>RecRG", "● Synchronizing")
            for array in ("ClusterA", "ClusterB"):
                client.fault("disk", "slow", array, seconds=_LONG)
            first.terminal.type("\rF")
            first.terminal.see("Which way")
            first.terminal.type("\r")
            first.terminal.see("type RecRG to run it")
            first.terminal.type("RecRG\r")
            until(lambda: jobs(client, "failover"))
            with frozen(client.info().owner_pid):
                hang_up(dropped=second, logged_out=first)
            for array in ("ClusterA", "ClusterB"):
                client.fault("disk", "slow", array, seconds=0)
            ended(client, "failover")
            client.wait("RecRG", timeout=PATIENCE_SECONDS)
            assert leader(client).name == "RecRG"
            lives_by_itself(client)
        finally:
            client.stop_owner()


def opened(server: SshServer, place: Path) -> Session:
    """`srshell dash` in a session over SSH; it starts an owner if there is none."""
    return server.run(
        "env", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", sys.executable, "-m", "srshell", "--sandbox",
        "--fabric", str(place / "fabric"), "dash", "--every", "0.25",
    )  # fmt: skip


def protect(client: SyncFabric, place: Path) -> None:
    """Two groups that are protected, and much to copy."""
    living.two_arrays(client, place, "64M")
    volume = client.volume("PV")
    for offset in range(0, _COPIED_BYTES, _MIB):
        volume.write(offset, os.urandom(4096) * 256)
    living.protect(client)


def hang_up(*, dropped: Session, logged_out: Session) -> None:
    """End both sessions; their dashboards end with them."""
    programs = {session.pid: session for session in (dropped, logged_out)}
    assert len(programs) == 2, "each session has a program of its own"
    for pid in programs:
        standing = Standing.of(pid)
        assert standing is not None
        assert standing.terminal, "a dashboard over SSH has a terminal"
    dropped.drop()
    logged_out.log_out()
    for pid, session in programs.items():
        session.await_end(pid)


def lives_by_itself(client: SyncFabric) -> None:
    """Owner and sites have a session of their own, and no terminal that could take them along."""
    info = client.info()
    mine = os.getsid(0)
    for pid in (info.owner_pid, *(site.pid for site in info.sites)):
        assert pid is not None
        standing = Standing.of(pid)
        assert standing is not None, f"process {pid} has ended"
        assert standing.terminal == 0
        assert standing.session != mine


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process stands still meanwhile: what waits for it is in the middle for sure."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def leader(client: SyncFabric) -> GroupStatus:
    """The side that takes the writes."""
    rows: tuple[GroupStatus, ...] = client.status("PriRG").groups
    return next(row for row in rows if row.is_primary)


def copied(client: SyncFabric) -> int:
    """How many bytes of the first copy are done."""
    progress = leader(client).progress
    return progress.done_bytes if progress else 0


def site_of(client: SyncFabric, array: str) -> int:
    """The process of a site."""
    sites: tuple[SiteRow, ...] = client.info().sites
    return next(site.pid for site in sites if site.array == array and site.pid)


def jobs(client: SyncFabric, verb: str) -> list[Job]:
    """The jobs of a verb, the newest first."""
    return [job for job in client.jobs() if job.command.startswith(verb)]


def ended(client: SyncFabric, verb: str) -> None:
    """Wait until the job that was begun over SSH has ended well."""
    until(lambda: jobs(client, verb)[0].state is not JobState.RUNNING)
    assert jobs(client, verb)[0].state is JobState.DONE


def until(holds: Callable[[], object]) -> None:
    """Ask again until it holds; each question takes the owner's time, so nothing spins."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it does not come to that"
