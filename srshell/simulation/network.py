"""A network that delays, splits, stalls, breaks and forgets.

Always true:

(1) Messages pass through the shipped codec as bytes, in order for each link, in pieces of any size.
(2) While a direction is partitioned its bytes wait, as TCP's do, and so does the news of a close.
(3) A reset and a dying host lose what is under way.  A process that is killed may lose its last
    bytes, then its peer sees the link closed; a host without power leaves its peer none the wiser.
(4) Every event belongs to the world: it happens whatever becomes of the sender.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Final

import attrs

from srshell.simulation.loop import SimLoop
from srshell.simulation.process import CURRENT_PROCESS
from srshell.simulation.wire import SimLink
from srshell.transport.inbox import Waiters
from srshell.transport.link import Accept, LinkClosed, LinkRefused

CONNECT_SECONDS: Final = 5.0


@attrs.frozen
class Served:
    """Who accepts links at an address."""

    host: str
    listener: SimListener


class SimNetwork:
    """All hosts and the wires between them."""

    def __init__(self, loop: SimLoop) -> None:
        """Connect everybody with everybody, at 50 to 500 us one way."""
        self.loop = loop
        self.random = loop.random("network")
        #: Virtual seconds one way, from and to, unless `set_delay` says otherwise.
        self.delay_seconds = (50e-6, 500e-6)
        #: One message in so many arrives in two pieces.
        self.split_one_in = 16
        self.links: list[SimLink] = []
        self._delays: dict[tuple[str, str], tuple[float, float]] = {}
        self._cut: set[tuple[str, str]] = set()
        self._down: set[str] = set()
        self._served: dict[str, Served] = {}
        #: The host on which each address was last served.
        self._homes: dict[str, str] = {}
        self._changed = Waiters()

    def host(self, name: str) -> SimHost:
        """Return the network as seen from a host; any text names one."""
        return SimHost(self, name)

    # --- what goes wrong ------------------------------------------------------------------------

    def set_delay(self, source: str, target: str, least: float, most: float) -> None:
        """Set the delay of one direction (seconds): drawn anew for each message."""
        self._delays[source, target] = (least, most)

    def partition(self, source: str, target: str, *, both: bool = True) -> None:
        """Let nothing pass from ``source`` to ``target``; nor back, if ``both``."""
        self.loop.record("network", "partition", source, target, both)
        self._cut.add((source, target))
        if both:
            self._cut.add((target, source))

    def heal(self, source: str, target: str, *, both: bool = True) -> None:
        """Let what waits, and the rest, pass again."""
        self.loop.record("network", "heal", source, target, both)
        self._cut.discard((source, target))
        if both:
            self._cut.discard((target, source))
        self._let_go()

    def reset(self, left: str, right: str) -> None:
        """Break every link between two hosts at once; what is under way is lost."""
        self.loop.record("network", "reset", left, right)
        for link in self.links:
            if {link.host, link.peer.host} == {left, right}:
                link.break_off()

    def power_cut(self, host: str) -> None:
        """Take a host away without a word: its peers hear nothing until they ask.

        Call it before its processes are killed; `power_on` brings it back.
        """
        self.loop.record("network", "power cut", host)
        self._down.add(host)
        for link in self.links:
            if link.host == host:
                link.vanish()
        self._served = {
            address: served for address, served in self._served.items() if served.host != host
        }

    def power_on(self, host: str) -> None:
        """Let a host answer again; its old links are answered with a reset."""
        self._down.discard(host)
        self._let_go()

    # --- for wires ------------------------------------------------------------------------------

    def is_cut(self, source: str, target: str) -> bool:
        """Say whether nothing passes from one to the other now."""
        return (source, target) in self._cut or source in self._down or target in self._down

    def delay(self, source: str, target: str) -> float:
        """Draw the delay of one message (seconds)."""
        if source == target:
            return self.random.uniform(5e-6, 50e-6)
        return self.random.uniform(*self._delays.get((source, target), self.delay_seconds))

    def _let_go(self) -> None:
        for link in self.links:
            link.wire.let_go()
        self._changed.wake()

    # --- for hosts ------------------------------------------------------------------------------

    async def connect(self, source: str, address: str) -> SimLink:
        """Open a link from a host; see `Network.connect`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                served = await self._reach(source, address)
        except TimeoutError:
            raise LinkRefused(f"{address} did not answer in {CONNECT_SECONDS:g} s") from None
        ours = SimLink(self, source, f"{address} on {served.host}", CURRENT_PROCESS.get())
        theirs = SimLink(self, served.host, f"process on {source}", served.listener.process)
        ours.join(theirs)
        self.links = [link for link in self.links if not link.finished]
        self.links += (ours, theirs)
        served.listener.serve(theirs)
        self.loop.record("network", "connect", source, served.host)
        return ours

    async def _reach(self, source: str, address: str) -> Served:
        """Wait for the answer of whoever listens, one way and back."""
        while True:
            target = self._homes.get(address, source)
            await asyncio.sleep(self.delay(source, target) + self.delay(target, source))
            if self.is_cut(source, target) or self.is_cut(target, source):
                await self._changed.wait()
                continue
            served = self._served.get(address)
            if served is None:
                raise LinkRefused(f"nobody listens at {address}")
            return served

    def serve(self, address: str, served: Served) -> None:
        """Listen at an address; see `Network.listen`."""
        if address in self._served:
            raise LinkRefused(f"{address} is in use")
        self._served[address] = served
        self._homes[address] = served.host

    def stop_serving(self, address: str, listener: SimListener) -> None:
        """Listen no more."""
        served = self._served.get(address)
        if served is not None and served.listener is listener:
            del self._served[address]


class SimHost:
    """`Network` for the processes of one host."""

    def __init__(self, network: SimNetwork, name: str) -> None:
        """See `SimNetwork.host`."""
        self.network = network
        self.name = name

    async def connect(self, address: str) -> SimLink:
        """Open a link for the process that asks; see `Network.connect`."""
        return await self.network.connect(self.name, address)

    async def listen(self, address: str, accept: Accept) -> SimListener:
        """Accept links in the process that asks; see `Network.listen`."""
        listener = SimListener(self.network, address, accept)
        self.network.serve(address, Served(self.name, listener))
        return listener


class SimListener:
    """An address at which links are accepted; it ends with its process."""

    def __init__(self, network: SimNetwork, address: str, accept: Accept) -> None:
        """See `SimHost.listen`."""
        self.address = address
        self.process = CURRENT_PROCESS.get()
        self._network = network
        self._accept = accept
        self._context = copy_context()
        self._tasks: dict[asyncio.Task[None], None] = {}
        if self.process is not None:
            self.process.at_death(self.close)

    def close(self) -> None:
        """Accept no more; links already open stay open."""
        self._network.stop_serving(self.address, self)
        if self.process is not None:
            self.process.forget_at_death(self.close)

    def serve(self, link: SimLink) -> None:
        """Run the accepting coroutine in the listener's own process."""
        task = self._network.loop.create_task(self._run(link), context=self._context.copy())
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)

    async def _run(self, link: SimLink) -> None:
        try:
            await self._accept(link)
        except LinkClosed:
            link.close()
        except BaseException:
            link.close()
            raise
