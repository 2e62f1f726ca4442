"""A site as a process of its own: `srshell site`, started and watched by the fabric's owner.

Always true:

(1) It belongs to nobody's terminal and is nobody's child: it outlives the owner that started it.
(2) SIGTERM lets it answer what is under way and close its files; SIGKILL loses nothing either.
(3) It never runs with assertions switched off (``python -O``).
(4) Whoever started it is told through a pipe: "ready", or the error that kept it from starting.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import importlib.util
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, NoReturn

from srshell.model.commits import Commits
from srshell.model.errors import SrError
from srshell.model.identity import check_identity, check_name
from srshell.site.host import Site
from srshell.site.memory import calm_collector, share_heap
from srshell.site.server import SiteServer
from srshell.site.settings import SiteSettings

LOG: Final = logging.getLogger("srshell.site")

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 64

_LOG_BYTES: Final = 4 * 1024 * 1024


def main(arguments: list[str]) -> int:
    """Be a site until told to end; return the exit status."""
    if sys.flags.optimize:
        print("srshell does not run under python -O: its assertions guard data", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    options = _parse(arguments)
    try:
        settings = _settings(options)
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (SrError, ValueError, OSError) as error:
        print(f"srshell site: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    if not options.foreground:
        _leave_terminal(settings.log_path)
    _start_log(settings.log_path)
    starter = _Starter(options.ready_fd)
    share_heap()
    try:
        with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
            runner.run(serve(settings, starter.say_ready))
    except SrError as error:
        LOG.warning("could not start: %s (%s)", error, error.facts)
        starter.say(json.dumps(error.to_json()))
        return EXIT_FAILED
    except Exception as error:
        LOG.exception("ended by a defect")
        defect = SrError.make("SR9999", problem=f"{type(error).__name__}: {error}")
        starter.say(json.dumps(defect.to_json()))
        return EXIT_FAILED
    return 0


async def serve(settings: SiteSettings, ready: Callable[[], None]) -> None:
    """Host the site and answer its owner until SIGTERM or SIGINT; call ``ready`` in between.

    Raises:
        SrError: it could not start; see `Site.open`.
    """
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    site = await Site.open(settings)
    try:
        server = SiteServer(site)
        await server.start(settings.rpc_socket)
        LOG.info("site %s serves, process %d", settings.array, os.getpid())
        calm_collector()
        ready()
        await end.wait()
        LOG.info("site %s ends", settings.array)
        server.listen_no_more()
    finally:
        await site.close()
    await server.close()


class _Parser(argparse.ArgumentParser):
    """Ends with our own status for a call that cannot be read."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


class _Starter:
    """The pipe to whoever started this process, who waits for one line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say_ready(self) -> None:
        """The site answers."""
        self.say("ready")

    def say(self, line: str) -> None:
        """Say it and hang up; only the first call says anything."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.write(descriptor, line.encode() + b"\n")
            os.close(descriptor)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser("srshell site", description="Serve one array.", allow_abbrev=False)
    parser.add_argument("--array", required=True, help="name of the array")
    parser.add_argument("--fabric", required=True, help="identity of the fabric")
    parser.add_argument("--directory", required=True, type=Path, help="the site's own files")
    parser.add_argument("--run-dir", required=True, type=Path, help="the fabric's sockets")
    parser.add_argument("--link", default="", help="where peers connect: unix:PATH, tcp:HOST:PORT")
    parser.add_argument("--owner-term", type=int, default=0, help="term of the owner")
    parser.add_argument("--sandbox", action="store_true", help="faults may be injected")
    parser.add_argument("--commit", choices=tuple(Commits), default=Commits.AUTO)
    parser.add_argument("--loop", choices=("auto", "asyncio", "uvloop"), default="auto")
    parser.add_argument("--ready-fd", type=int, default=-1, help="pipe to whoever started it")
    parser.add_argument("--foreground", action="store_true", help="keep the terminal")
    return parser.parse_args(arguments)


def _settings(options: argparse.Namespace) -> SiteSettings:
    return SiteSettings(
        array=check_name(options.array, "array"),
        fabric=check_identity(options.fabric),
        directory=options.directory.resolve(),
        run_directory=options.run_dir.resolve(),
        link_address=options.link,
        owner_term=options.owner_term,
        sandbox=options.sandbox,
        own_process=True,
        commits=Commits(options.commit),
    )


def loop_factory(choice: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop: uvloop where it is installed, for it wakes up faster."""
    if choice == "auto":
        choice = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    if choice == "uvloop":
        import uvloop  # noqa: PLC0415 - an extra

        return uvloop.new_event_loop
    return asyncio.new_event_loop


def _leave_terminal(log_path: Path) -> None:
    """Own a session, be nobody's child, hold no directory, and read and write no terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


def _start_log(log_path: Path) -> None:
    handler = RotatingFileHandler(log_path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    faulthandler.enable()
