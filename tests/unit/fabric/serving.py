"""A fabric that answers on a control socket, in a thread of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from srshell.fabric.control_server import ControlServer, listening_socket
from srshell.fabric.reports import StoppedReport
from srshell.fabric.session import FabricSession
from srshell.fabric.threads import LoopThread


class Served:
    """One fabric, its directory, and the loop that it lives in."""

    def __init__(self, loop: LoopThread, session: FabricSession, stopped: list[bool]) -> None:
        self.loop = loop
        self.session = session
        self.stopped = stopped
        self.directory = session.context.place.directory


@contextmanager
def serve(opened: AbstractAsyncContextManager[FabricSession]) -> Iterator[Served]:
    """Open a fabric and serve it as an owner does, until the block ends."""
    loop = LoopThread()
    session = loop.run(opened.__aenter__())
    place = session.context.place
    path = Path(place.directory) / "api"
    stopped: list[bool] = []

    async def stop(keep_sites: bool) -> StoppedReport:
        stopped.append(keep_sites)
        place.owner_card.unlink()
        return StoppedReport(str(place.directory), 1, not keep_sites)

    server = ControlServer(session, str(place.directory), stop)

    async def begin() -> None:
        await server.start(listening_socket(path))

    loop.run(begin())
    place.write_card({"socket": str(path), "pid": 1, "owner_term": 1})
    try:
        yield Served(loop, session, stopped)
    finally:
        loop.run(server.close())
        loop.run(opened.__aexit__(None, None, None))
        loop.close()
