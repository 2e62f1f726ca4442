"""Files for tasks: aiofiles, with positional and vectored calls.

Always true:

(1) One call is one hop to the device's threads, however many buffers it carries; with a
    `DirectExecutor` it is none, and the call has ended when it is first awaited.
(2) A job that was started is waited for, even by a task that was cancelled: cancellation leaves the
    call only when the job is over, so the buffers are free and no write happens afterwards.
(3) `close` waits for every job first: a descriptor number is never reused under a running job.
(4) A file has at most `JOBS_MAX` jobs; whoever comes next waits.

`RawFile` is registered with aiofiles' own `wrap`, so one open file is made the same way over the
operating system and over the simulator's disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, TypeVarTuple

from aiofiles.base import AsyncBase
from aiofiles.threadpool import wrap

from srshell.storage.errors import StorageError
from srshell.storage.executor import DeviceExecutor, DirectExecutor
from srshell.storage.raw import RawDisk, RawFile
from srshell.storage.writes import Write

JOBS_MAX: Final = 256

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Drained(Generic[T]):
    """Await a job to its end; a cancellation is delivered only then.

    A task cancels what it waits for, and may go on at once if that agrees.  This does not agree, so
    the task stays until the job is done and then raises `asyncio.CancelledError`.  `asyncio.shield`
    cannot do that, and costs a second future.  The attributes are those by which asyncio knows a
    future that is not its own.
    """

    __slots__ = ("_asyncio_future_blocking", "_future")

    def __init__(self, future: asyncio.Future[T]) -> None:
        """Stand before ``future``, which nobody else may cancel."""
        self._future = future
        self._asyncio_future_blocking = False

    def __await__(self) -> Generator[Any, None, T]:
        """Wait, then return the job's result or raise its error."""
        if not self._future.done():
            self._asyncio_future_blocking = True
            yield self
        return self._future.result()

    def cancel(self, msg: object = None) -> bool:
        """Refuse."""
        return False

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the job's future."""
        return self._future.get_loop()

    def add_done_callback(self, call: Callable[..., object], *, context: Any = None) -> None:  # noqa: ANN401
        """Wake the task when the job is over."""
        self._future.add_done_callback(call, context=context)


class BlockFile(AsyncBase):  # type: ignore[type-arg]  # generic in its stub alone
    """The asynchronous face of a `RawFile`; every method may raise `StorageError`."""

    _file: RawFile
    _loop: asyncio.AbstractEventLoop
    _executor: Executor | None

    def __init__(
        self, file: RawFile, loop: asyncio.AbstractEventLoop | None, executor: Executor | None
    ) -> None:
        """Take over ``file``; its jobs run in ``executor``."""
        super().__init__(file, loop, executor)  # type: ignore[arg-type]
        #: Hands a job to the executor; ours need no help of the loop's, which costs as much again.
        self._start: Callable[..., asyncio.Future[Any]]
        self._start = partial(self._loop.run_in_executor, executor)
        if isinstance(executor, DeviceExecutor):
            self._start = executor.submit
        self._at_once = isinstance(executor, DirectExecutor)
        self._jobs = 0
        self._closed = False
        #: Set for a moment when a job ends and somebody waits for room.
        self._room = asyncio.Event()
        self._waiting_for_room = 0
        #: Done when the last job of a closed file ends.
        self._idle: asyncio.Future[None] | None = None

    @property
    def path(self) -> str:
        """The name it was opened by."""
        return self._file.path

    @property
    def broken_by(self) -> StorageError | None:
        """The failure after which nothing is written any more."""
        return self._file.broken_by

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def size(self) -> int:
        """Return the size in bytes; it never changes."""
        return self._file.size_bytes

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes."""
        return await self._run(self._file.read_at, offset, length)

    def read_cached(self, offset: int, length: int) -> bytearray | None:
        """Return exactly ``length`` bytes at once, without a hop; None if somebody must wait."""
        if self._closed:
            raise StorageError("read_cached", self._file.path, "CLOSED")
        return self._file.read_cached(offset, length)

    async def read_direct(self, offset: int, length: int) -> bytes | None:
        """Return exactly ``length`` bytes past the page cache; None where that is impossible."""
        return await self._run(self._file.read_direct, offset, length)

    async def read_each(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return exactly the bytes of each range (offset, length): one hop for all of them."""
        return await self._run(self._file.read_each, ranges)

    async def write_at(self, writes: Sequence[Write], sync: bool = False) -> None:
        """Write all of it, and make it durable if ``sync``: one hop for a whole commit."""
        await self._run(self._file.write_at, writes, sync)

    async def check_kept(self) -> None:
        """Look whether nobody else removed the file or cut it short; else it is broken."""
        await self._run(self._file.check_kept)

    @property
    def at_once(self) -> bool:
        """Whether calls end where they are made; then the file is always idle."""
        return self._at_once

    @property
    def idle(self) -> bool:
        """Whether no job of this file waits or runs, and `write_through_now` may be used."""
        return not self._jobs

    async def write_through(self, writes: Sequence[Write]) -> None:
        """Write all of it, durably, past the page cache: for what is not read again soon."""
        await self._run(self._file.write_through, writes)

    def write_through_now(self, writes: Sequence[Write]) -> None:
        """Do what `write_through` does in this very moment, in the loop's own thread."""
        assert not self._jobs, "somebody else uses this file"
        if self._closed:
            raise StorageError("write_through", self._file.path, "CLOSED")
        self._file.write_through(writes)

    async def sync(self) -> None:
        """Make every finished write durable."""
        await self._run(self._file.sync)

    async def punch(self, offset: int, length: int) -> None:
        """Make a range read as zeros and give its space back."""
        await self._run(self._file.punch, offset, length)

    async def data_ranges(self, offset: int, length: int) -> list[tuple[int, int]]:
        """Return the parts that may hold data, as (offset, length)."""
        return await self._run(self._file.data_ranges, offset, length)

    async def drop_cache(self, offset: int, length: int) -> None:
        """Forget cached pages of a synced range."""
        await self._run(self._file.drop_cache, offset, length)

    async def close(self) -> None:
        """Wait for the jobs, then release file and lock; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._room.set()
        try:
            if self._jobs:
                self._idle = self._loop.create_future()
                await Drained(self._idle)
        finally:
            await Drained(self._loop.run_in_executor(self._executor, self._file.close))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        if self._jobs >= JOBS_MAX:
            await self._wait_for_room()
        if self._closed:
            raise StorageError(call.__name__, self._file.path, "CLOSED")
        if self._at_once:
            return call(*args)
        self._jobs += 1
        try:
            return await Drained(self._start(call, *args))
        finally:
            self._jobs -= 1
            if self._waiting_for_room:
                self._room.set()
            if self._idle is not None and not self._jobs:
                self._idle.set_result(None)

    async def _wait_for_room(self) -> None:
        self._waiting_for_room += 1
        try:
            while self._jobs >= JOBS_MAX and not self._closed:
                self._room.clear()
                await self._room.wait()
        finally:
            self._waiting_for_room -= 1


@wrap.register(RawFile)
def _wrap_raw_file(
    file: RawFile,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    executor: Executor | None = None,
) -> BlockFile:
    return BlockFile(file, loop, executor)


async def open_block_file(
    disk: RawDisk,
    path: str,
    executor: Executor | None,
    *,
    writable: bool = True,
    lock: bool = True,
) -> BlockFile:
    """Open a file or block device; `AlreadyLocked` if ``lock`` and somebody else has it.

    A task that is cancelled meanwhile leaves nothing open.
    """
    loop = asyncio.get_running_loop()
    opening = partial(disk.open, path, writable=writable, lock=lock)
    job: asyncio.Future[RawFile] = loop.run_in_executor(executor, opening)
    try:
        raw = await Drained(job)
    except asyncio.CancelledError:
        if job.done() and not job.cancelled() and job.exception() is None:
            await Drained(loop.run_in_executor(executor, job.result().close))
        raise
    file: BlockFile = wrap(raw, loop=loop, executor=executor)
    return file


class Disk:
    """Files of one device, for tasks; every method may raise `StorageError`."""

    def __init__(self, raw: RawDisk, executor: Executor | None) -> None:
        """Work through ``raw``, in the device's own ``executor``."""
        self.raw = raw
        self.executor = executor

    async def open(self, path: str, *, writable: bool = True, lock: bool = True) -> BlockFile:
        """Open a file or block device; `AlreadyLocked` if ``lock`` and somebody else has it."""
        return await open_block_file(self.raw, path, self.executor, writable=writable, lock=lock)

    async def create(self, path: str, size_bytes: int, *, zeroed: bool = False) -> None:
        """Make a new file of that size, durable with its name; on failure nothing is left."""
        await self._run(partial(self.raw.create, path, size_bytes, zeroed=zeroed))

    async def remove(self, path: str) -> None:
        """Remove a file, durably."""
        await self._run(self._remove, path)

    async def rename(self, path: str, new_path: str) -> None:
        """Rename a file durably, replacing what was there."""
        await self._run(self._rename, path, new_path)

    async def share(self, path: str, new_path: str) -> bool:
        """Make a new file that shares the data of ``path``; False where that is impossible."""
        return await self._run(self.raw.share, path, new_path)

    async def free_bytes(self, folder: str) -> int:
        """Return how much can still be written into files of a folder."""
        return await self._run(self.raw.free_bytes, folder)

    async def exists(self, path: str) -> bool:
        """Say whether the name is taken."""
        return await self._run(self.raw.exists, path)

    def _remove(self, path: str) -> None:
        self.raw.remove(path)
        self.raw.sync_directory(os.path.dirname(path))

    def _rename(self, path: str, new_path: str) -> None:
        self.raw.rename(path, new_path)
        folders = {os.path.dirname(new_path): None, os.path.dirname(path): None}
        for folder in folders:
            self.raw.sync_directory(folder)

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        loop = asyncio.get_running_loop()
        return await Drained(loop.run_in_executor(self.executor, call, *args))
