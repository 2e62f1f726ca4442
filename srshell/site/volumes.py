"""A volume that a site hosts, whatever carries its bytes at the moment.

Always true:

(1) Every call runs to its end on the backing that it began with.
(2) The backing changes only while no call is under way; calls that come meanwhile wait, in order.
(3) A volume that belongs to a replica is never written beside it: without its replica it refuses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import attrs

from srshell.codec.checksum import Buffer
from srshell.export.device import Range
from srshell.model.errors import SrError
from srshell.site.api import SiteVolume
from srshell.site.backing import Backing, NoBacking, PlainBacking
from srshell.site.labels import LabelledVolume
from srshell.site.pools import Pool
from srshell.storage import Disk, RawDisk

T = TypeVar("T")

#: So many writes under way are kept before it is looked which of them have ended.
_CALLS_MAX: Final = 1024


@attrs.define
class Loan:
    """What is to carry a volume when it is given back; None: its own file."""

    backing: Backing | None = None


@attrs.define(eq=False)
class HostedVolume:
    """One volume: its facts, its pool, and what carries it."""

    facts: LabelledVolume
    pool: Pool
    _raw: RawDisk
    #: What the path leads to, as device:inode.
    file: str = ""
    #: None until somebody uses a plain volume.
    _backing: Backing | None = attrs.field(default=None, init=False)
    _users: int = attrs.field(default=0, init=False)
    #: Writes under way, the oldest first; some of them have ended.
    _calls: deque[asyncio.Future[Any]] = attrs.field(factory=deque, init=False)
    _calls_max: int = attrs.field(default=_CALLS_MAX, init=False)
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _idle: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    @property
    def name(self) -> str:
        """Name of the volume, unique in its fabric."""
        return self.facts.name

    @property
    def path(self) -> str:
        """The file or block device."""
        return self.pool.volume_path(self.facts.name)

    @property
    def partnership(self) -> str:
        """The replica that it belongs to; empty for none."""
        return self.facts.partnership

    @property
    def serves(self) -> bool:
        """Whether clients can use it now; a plain volume is opened when the first one comes."""
        if self._backing is None:
            return not self.partnership
        return self._backing.serves

    @property
    def shows(self) -> bool:
        """Whether it is on the secondary side and may be looked at there."""
        return self._backing is not None and self._backing.shows

    def describe(self) -> SiteVolume:
        """Tell what it is."""
        facts = self.facts
        return SiteVolume(
            name=facts.name,
            path=self.path,
            size_bytes=facts.size_bytes,
            block_bytes=facts.block_bytes,
            log=facts.log,
            pool=self.pool.name,
            partnership=facts.partnership,
            backing=self.file,
        )

    async def read(self, offset: int, length: int) -> Buffer:
        """Return exactly ``length`` bytes."""
        self._check_range(offset, length)
        return await self._run(lambda backing: backing.read(offset, length))

    def read_cached(self, offset: int, length: int) -> Buffer | None:
        """Return what `read` would if nobody has to wait for anything, else None."""
        self._check_range(offset, length)
        if self._backing is None or self._turn.locked():
            return None
        return self._backing.read_cached(offset, length)

    def write(self, offset: int, data: Buffer) -> Awaitable[object]:
        """Store ``data`` durably; a future if the backing has one, and the write has begun."""
        self._check_range(offset, len(data))
        if self._backing is None or self._turn.locked():
            return self._run(lambda backing: backing.write(offset, data))
        return self._counted(self._backing.write(offset, data))

    def zero(self, offset: int, length: int, *, may_trim: bool) -> Awaitable[object]:
        """Make a range read as zeros, durably; else as `write`."""
        self._check_range(offset, length)
        if self._backing is None or self._turn.locked():
            return self._run(lambda backing: backing.zero(offset, length, may_trim=may_trim))
        return self._counted(self._backing.zero(offset, length, may_trim=may_trim))

    def flush(self) -> None:
        """Return when all that was answered is durable: at once, for every answer waited for it."""

    async def ranges(self, offset: int, length: int) -> list[Range]:
        """Tell holes from data."""
        self._check_range(offset, length)
        return await self._run(lambda backing: backing.ranges(offset, length))

    async def dirty_ranges(self, offset: int, length: int) -> list[Range]:
        """Tell what the other side may lack."""
        self._check_range(offset, length)
        return await self._run(lambda backing: backing.dirty_ranges(offset, length))

    async def read_settled(self, offset: int, length: int) -> Buffer:
        """Return what a secondary holds that can never be rolled back."""
        self._check_range(offset, length)
        return await self._run(lambda backing: backing.read_settled(offset, length))

    async def is_blank(self) -> bool:
        """Whether a plain volume reads as zeros."""

        async def look(backing: Backing) -> bool:
            if not isinstance(backing, PlainBacking):
                raise in_use(self)
            return await backing.is_blank(self.facts.size_bytes)

        return await self._run(look)

    async def hand_over(self, backing: Backing | None) -> None:
        """Wait for the calls under way, then let ``backing`` carry the volume.

        None makes it plain again; the file is opened when somebody needs it.
        """
        async with self.lent() as loan:
            loan.backing = backing

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Loan]:
        """Give the file to the block while all calls wait; it says what carries the volume then."""
        async with self._turn:
            await self._release()
            loan = Loan()
            try:
                yield loan
            finally:
                self._backing = loan.backing

    async def close(self) -> None:
        """Wait for the calls under way; every later one is refused."""
        await self.hand_over(NoBacking(SrError.make("SR9301", facts="it ends", array="this site")))

    async def _run(self, call: Callable[[Backing], Awaitable[T]]) -> T:
        backing = self._backing
        if backing is None or self._turn.locked():
            async with self._turn:
                backing = self._backing = self._backing or await self._open()
                self._users += 1
        else:
            self._users += 1
        try:
            return await call(backing)
        finally:
            self._users -= 1
            if not self._users:
                self._idle.set()

    def _counted(self, call: Awaitable[T]) -> asyncio.Future[T]:
        """Keep a call among those under way until it ends, be it before its first step."""
        under_way = call if isinstance(call, asyncio.Future) else asyncio.ensure_future(call)
        calls = self._calls
        while calls and calls[0].done():
            calls.popleft()
        if len(calls) >= self._calls_max:
            # The oldest one waits for something that those behind it do not wait for.
            calls = self._calls = deque(one for one in calls if not one.done())
            self._calls_max = _CALLS_MAX + 2 * len(calls)
        calls.append(under_way)
        return under_way

    async def _open(self) -> PlainBacking:
        disk = Disk(self._raw, self.pool.executor)
        file = await disk.open(self.path)
        if file.size() < self.facts.size_bytes:
            await file.close()
            facts = f"{self.path} has {file.size()} of {self.facts.size_bytes} bytes"
            raise SrError.make("SR9222", facts=facts, file=self.path)
        return PlainBacking(file)

    async def _release(self) -> None:
        """Wait until nobody uses the backing, and close it."""
        while self._users or (calls := [one for one in self._calls if not one.done()]):
            if self._users:
                self._idle.clear()
                await self._idle.wait()
            else:
                await asyncio.wait(calls)
        backing, self._backing = self._backing, None
        if backing is not None:
            await backing.close()

    def _check_range(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.facts.size_bytes:
            facts = f"size {self.facts.size_bytes}, block size {self.facts.block_bytes}"
            raise SrError.make(
                "SR9223", facts=facts, offset=offset, length=length, volume=self.name
            )


def in_use(volume: HostedVolume) -> SrError:
    """Return the error for a volume that belongs to a replica."""
    user = f"partnership {volume.partnership}" if volume.partnership else "another command"
    return SrError.make("SR2014", volume=volume.name, user=user, group=volume.name)
