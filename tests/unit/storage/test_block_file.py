"""The asynchronous face: one hop a call, and no job outlives the call that started it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiofiles.threadpool import wrap

from srshell.storage import (
    AlreadyLocked,
    BlockFile,
    DeviceExecutor,
    DirectExecutor,
    Disk,
    OsDisk,
    RawFile,
    StorageError,
    Write,
    block_file,
    open_block_file,
)


class Gate:
    """Holds a raw file's writes in their thread until it opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        write_at: Callable[..., None] = RawFile.write_at

        def gated(file: RawFile, *args: object) -> None:
            self.entered.release()
            assert self.open.wait(10)
            write_at(file, *args)

        monkeypatch.setattr(RawFile, "write_at", gated)

    async def wait_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, True, 10)


@pytest.mark.parametrize("kind", [DeviceExecutor, DirectExecutor, ThreadPoolExecutor, None])
async def test_every_call_works_in_every_executor(path: str, kind: type | None) -> None:
    executor = kind() if kind else None
    async with await open_block_file(OsDisk(), path, executor) as file:
        await file.write_at([Write(0, (b"abc",)), Write(8192, (b"def",))], True)
        await file.sync()
        assert await file.read_at(8192, 3) == b"def"
        await file.punch(0, 4096)
        assert await file.data_ranges(0, 16384) == [(8192, 4096)]
        await file.drop_cache(0, file.size())
        assert (file.path, file.size(), file.broken_by) == (path, 65536, None)
        with pytest.raises(StorageError, match="OUT_OF_RANGE"):
            await file.write_at([Write(65536, (b"x",))])
    assert file.closed
    if executor is not None:
        executor.shutdown()


async def test_a_direct_call_has_ended_when_it_is_first_awaited(path: str) -> None:
    """No turn of the loop passes, so nothing comes between a commit and what follows it."""
    async with await open_block_file(OsDisk(), path, DirectExecutor()) as file:
        with pytest.raises(StopIteration):
            file.write_at([Write(0, (b"abc",))], sync=True).send(None)
        assert await file.read_at(0, 3) == b"abc"


async def test_aiofiles_makes_the_file(file: RawFile, executor: DeviceExecutor) -> None:
    """`wrap` is where aiofiles lets others in; the simulator's files come the same way."""
    wrapped = wrap(file, loop=asyncio.get_running_loop(), executor=executor)
    assert isinstance(wrapped, BlockFile)
    assert await wrapped.read_at(0, 2) == bytes(2)


async def test_many_tasks_write_each_where_it_should(path: str, executor: DeviceExecutor) -> None:
    """With a shared position, 63 of 63 blocks went astray."""
    async with await open_block_file(OsDisk(), path, executor) as file:
        blocks = [bytes([number]) * 1024 for number in range(64)]
        await asyncio.gather(
            *(file.write_at([Write(i * 1024, (block,))]) for i, block in enumerate(blocks))
        )
        await file.sync()
        assert await file.read_at(0, 65536) == b"".join(blocks)


@pytest.mark.parametrize("threads", [DeviceExecutor, ThreadPoolExecutor])
async def test_a_cancelled_write_is_waited_for(
    path: str, monkeypatch: pytest.MonkeyPatch, threads: type[DeviceExecutor]
) -> None:
    """The buffer belongs to the write until it is over; then it is the caller's again."""
    gate, executor = Gate(monkeypatch), threads(1)
    async with await open_block_file(OsDisk(), path, executor) as file:
        buffer = bytearray(b"first")
        task = asyncio.create_task(file.write_at([Write(0, (buffer,))], True))
        await gate.wait_entered()
        task.cancel()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=0.01)
        assert not done
        gate.open.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        buffer[:] = b"other"
        assert await file.read_at(0, 5) == b"first"
    executor.shutdown()


async def test_a_timeout_ends_only_with_the_job(
    path: str, executor: DeviceExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with await open_block_file(OsDisk(), path, executor) as file:
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, gate.open.set)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await file.write_at([Write(0, (b"late",))])
        assert gate.open.is_set()
        assert await file.read_at(0, 4) == b"late"


async def test_close_waits_for_the_jobs(
    path: str, executor: DeviceExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    file = await open_block_file(OsDisk(), path, executor)
    write = asyncio.create_task(file.write_at([Write(0, (b"kept",))]))
    await gate.wait_entered()
    close = asyncio.create_task(file.close())
    await asyncio.sleep(0)
    with pytest.raises(StorageError, match="CLOSED"):
        await file.read_at(0, 1)
    # Time enough for another thread to close it, if it were let.
    await asyncio.wait([close], timeout=0.02)
    close.cancel()
    await asyncio.wait([close], timeout=0.01)
    assert not file._file._closed
    gate.open.set()
    await write
    with pytest.raises(asyncio.CancelledError):
        await close
    async with await open_block_file(OsDisk(), path, executor) as again:
        assert await again.read_at(0, 4) == b"kept"


async def test_no_more_jobs_than_allowed_are_started(
    path: str, executor: DeviceExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_file, "JOBS_MAX", 3)
    gate = Gate(monkeypatch)
    async with await open_block_file(OsDisk(), path, executor) as file:
        writes = [
            asyncio.create_task(file.write_at([Write(i, (bytes([i + 1]),))])) for i in range(12)
        ]
        await gate.wait_entered()
        assert file._jobs == 3
        writes[5].cancel()
        gate.open.set()
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert [i for i, result in enumerate(results) if result is not None] == [5]
        assert await file.read_at(0, 12) == bytes([1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 12])


async def test_whoever_waits_for_room_learns_of_the_close(
    path: str, executor: DeviceExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_file, "JOBS_MAX", 1)
    gate = Gate(monkeypatch)
    file = await open_block_file(OsDisk(), path, executor)
    write = asyncio.create_task(file.write_at([Write(0, (b"x",))]))
    await gate.wait_entered()
    waiting = asyncio.create_task(file.sync())
    await asyncio.sleep(0)
    close = asyncio.create_task(file.close())
    with pytest.raises(StorageError, match="CLOSED"):
        await waiting
    gate.open.set()
    await asyncio.gather(write, close)


async def test_a_cancelled_open_leaves_nothing_locked(
    path: str, executor: DeviceExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class SlowDisk(OsDisk):
        def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
            entered.set()
            assert go_on.wait(10)
            return super().open(path, writable=writable, lock=lock)

    task = asyncio.create_task(open_block_file(SlowDisk(), path, executor))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    OsDisk().open(path).close()


async def test_a_disk_makes_moves_and_removes_files(
    tmp_path: Path, executor: DeviceExecutor
) -> None:
    disk = Disk(OsDisk(), executor)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    await disk.create(one, 8192, zeroed=True)
    async with await disk.open(one):
        with pytest.raises(AlreadyLocked):
            await disk.open(one, writable=False)
    await disk.rename(one, two)
    assert (await disk.exists(one), await disk.exists(two)) == (False, True)
    await disk.remove(two)
    assert not await disk.exists(two)
    with pytest.raises(StorageError, match="ENOENT"):
        await disk.open(two)
