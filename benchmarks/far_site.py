"""The second site with limits of a measurement's own: `python -m benchmarks.far_site`.

No user can set limits, so no command of a site takes them; the settings come by standard input.

Always true: the process ends with the block, whatever happened in it.
"""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from srshell.site.client import SiteClient
from srshell.site.process import loop_factory, serve
from srshell.site.settings import SiteSettings


@asynccontextmanager
async def far_site(settings: SiteSettings) -> AsyncIterator[SiteClient]:
    """Run a site in a process of its own until the block ends."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "benchmarks.far_site"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe)  # noqa: ASYNC220 (it is ended)
    client = SiteClient(settings.array, settings.rpc_socket, fabric=settings.fabric, owner_term=1)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        pickle.dump(settings, process.stdin)
        process.stdin.flush()
        await asyncio.to_thread(process.stdout.readline)
        yield client
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate)
        await client.close()


def _serve() -> None:
    settings: SiteSettings = pickle.load(sys.stdin.buffer)  # noqa: S301  (from our own process)
    with asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
        runner.run(serve(settings, lambda: print("ready", flush=True)))


if __name__ == "__main__":
    _serve()
