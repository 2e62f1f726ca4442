"""Two connected ends over each kind of link."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from srshell.transport import Link, LoopbackNetwork, Network, StreamNetwork

Pair: TypeAlias = tuple[Link, Link]
Connect: TypeAlias = Callable[[Network, str], Awaitable[Pair]]


async def connect(network: Network, address: str) -> Pair:
    """Listen, connect, and return the connecting and the accepted end."""
    accepted: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def accept(link: Link) -> None:
        accepted.set_result(link)

    listener = await network.listen(address, accept)
    ours = await network.connect(listener.address)
    theirs = await accepted
    listener.close()
    return ours, theirs


@pytest.fixture(params=["loopback", "unix", "tcp"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    network: Network = LoopbackNetwork() if request.param == "loopback" else StreamNetwork()
    address = "tcp:127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path}/link"
    ours, theirs = await connect(network, address)
    yield ours, theirs
    ours.close()
    theirs.close()
    # Transports close in the next turns of the loop.
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture
async def unix_pair(tmp_path: Path) -> AsyncIterator[Pair]:
    ours, theirs = await connect(StreamNetwork(), f"unix:{tmp_path}/link")
    yield ours, theirs
    ours.close()
    theirs.close()
    for _ in range(3):
        await asyncio.sleep(0)
