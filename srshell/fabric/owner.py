"""The owner of a fabric: the process that holds its lock, watches its sites and answers clients.

Always true:

(1) One process owns a fabric; who comes second and was started by a client waits until the first
    one answers, and ends.
(2) The owner's end, however it comes, stops no replication; `stop` does, because it says so.
(3) The card that tells clients where to connect is written once the owner answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import attrs

from srshell import __version__
from srshell.fabric.detach import detach
from srshell.fabric.launch import START_SECONDS, try_connect
from srshell.fabric.opening import NewFabric, close_session, native_backend, open_session
from srshell.fabric.place import FabricPlace, OwnerLock
from srshell.fabric.rebuild import adopt, rebuild_catalogue
from srshell.fabric.reports import StoppedReport
from srshell.model.commits import Commits
from srshell.model.errors import SrError

LOG = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05


@attrs.frozen
class OwnerSettings:
    """How an owner is started."""

    place: FabricPlace
    rebuild: bool = False
    rebuild_pools: tuple[str, ...] = ()
    detached: bool = False
    ready_fd: int | None = None
    sandbox: bool = False
    profile: str | None = None
    commits: Commits = Commits.AUTO
    viewer_groups: tuple[str, ...] = ()
    operator_groups: tuple[str, ...] = ()
    token_file: str | None = None
    share: str | None = None


def serve(settings: OwnerSettings) -> int:
    """Own a fabric until told to stop; the exit code of the process.

    Raises:
        SrError: in the foreground: SR9005, another process owns it; what keeps it from starting.
    """
    if settings.detached:
        detach()
    os.umask(0o077)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        settings.place.make()
        lock = OwnerLock(settings.place)
        if not lock.take():
            return _yield_to_other(settings)
        try:
            return _own(settings, lock)
        finally:
            lock.release()
    except SrError as error:
        if settings.ready_fd is None:
            raise
        LOG.error("%s", "; ".join(error.lines()))  # noqa: TRY400 - the lines say it all
        _tell_starter(settings, json.dumps(error.to_json()))
        return 1


def _own(settings: OwnerSettings, lock: OwnerLock) -> int:
    """Be the owner; the lock is held."""
    died = lock.holder_died()
    lock.sign()
    if settings.rebuild:
        rebuild_catalogue(settings.place, settings.rebuild_pools)
    asyncio.run(_Owner(settings, died).run())
    return 0


def _yield_to_other(settings: OwnerSettings) -> int:
    """Another process owns the fabric: wait until it answers, if a client waits for that."""
    if settings.ready_fd is None:
        card = settings.place.read_card()
        facts = f"process {card['pid']}" if "pid" in card else ""
        raise SrError.make("SR9005", facts=facts, fabric=str(settings.place.directory))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        connection = try_connect(settings.place)
        if connection is not None:
            connection.close()
            _tell_starter(settings, "ready")
            return 0
        time.sleep(_LOOK_SECONDS)
    facts = "another process holds the lock of the fabric and does not answer"
    raise SrError.make("SR9001", facts=facts, fabric=str(settings.place.directory))


def _tell_starter(settings: OwnerSettings, text: str) -> None:
    """Say one line to the client that started this process, if one did."""
    if settings.ready_fd is not None:
        try:
            os.write(settings.ready_fd, f"{text}\n".encode())
        except BrokenPipeError:
            LOG.info("the client that started this owner has gone")
        os.close(settings.ready_fd)


class _Owner:
    """One life of an owner."""

    def __init__(self, settings: OwnerSettings, died: int) -> None:
        self._settings = settings
        self._died = died
        self._ending = asyncio.Event()
        self._stopped: StoppedReport | None = None

    async def run(self) -> None:
        """Serve until told to stop."""
        # The HTTP server is heavy; clients never load it.
        from srshell.fabric.access import read_access, shared_socket
        from srshell.fabric.control_server import ControlServer, listening_socket
        from srshell.fabric.recorder import Recorder
        from srshell.site.rundir import run_directory, socket_path

        settings = self._settings
        place = settings.place
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._ending.set)
        path = socket_path(run_directory(place.directory), "owner", "api")
        access = read_access(
            place,
            viewer_groups=settings.viewer_groups,
            operator_groups=settings.operator_groups,
            token_file=settings.token_file,
            socket_path=settings.share,
        )
        shared = shared_socket(access)
        self._session = await open_session(
            place,
            native_backend,
            new=NewFabric(settings.sandbox, settings.profile),
            socket=str(path),
            commits=settings.commits,
        )
        context = self._session.context
        if settings.rebuild:
            await adopt(context)
        if self._died:
            context.journal.say("SR9004", place.directory.name, f"process {self._died}")
        server = ControlServer(self._session, str(place.directory), self._stop, access)
        await server.start(listening_socket(path), *((shared,) if shared else ()))
        self._write_card(path, context.owner_term)
        context.journal.say("SR0100", place.directory.name)
        if settings.ready_fd is None:
            sys.stdout.write(f"owner of {place.directory}, process {os.getpid()}, at {path}\n")
            sys.stdout.flush()
        _tell_starter(settings, "ready")
        recording = asyncio.create_task(Recorder(self._session, place).run())
        await self._ending.wait()
        recording.cancel()
        place.owner_card.unlink(missing_ok=True)
        await server.close()
        if self._stopped is None:
            await close_session(self._session, stop_sites=False)
        path.unlink(missing_ok=True)
        if access.socket is not None:
            access.socket.unlink(missing_ok=True)

    def _write_card(self, path: Path, term: int) -> None:
        """Tell clients where to connect."""
        self._settings.place.write_card(
            {
                "pid": os.getpid(),
                "socket": str(path),
                "owner_term": term,
                "version": __version__,
                "started_unix": time.time(),
            }
        )

    async def _stop(self, keep_sites: bool) -> StoppedReport:
        """End everything, then let the process end; answered before it does."""
        if self._stopped is None:
            self._stopped = StoppedReport(
                str(self._settings.place.directory), os.getpid(), not keep_sites
            )
            await close_session(self._session, stop_sites=not keep_sites)
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._ending.set)
        return self._stopped
