"""The log ring on disk: one job an append, nothing written twice, everything verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from srshell.codec.errors import FormatError
from srshell.codec.log_frame import (
    HEADER_BYTES,
    FrameBody,
    FrameKind,
    Record,
    RecordKind,
    pack_body,
    parse_header,
)
from srshell.engine.log_file import LogFile
from srshell.replication.ring import Ring
from srshell.simulation import FaultKind, SimDisk, run_simulated
from srshell.storage import Disk, OsDisk, StorageError, Write

RING_OFFSET = 8192
RING_BYTES = 32 * 1024
SECTOR = 4096
SALT = 77
SEED = 0x5EED
PARTNERSHIP = "ab" * 16


class CountingExecutor(Executor):
    """Runs each job at once, and counts them."""

    def __init__(self) -> None:
        self.jobs = 0

    def submit(self, job: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        self.jobs += 1
        future: Future[Any] = Future()
        try:
            future.set_result(job(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future


def frame(first_lsn: int, payload: bytes, epoch: int = 1) -> FrameBody:
    """One write in a frame of its own."""
    records = [Record(first_lsn, RecordKind.WRITE, 0, 0, len(payload), payload)]
    return pack_body(epoch, first_lsn, records)


def log_on(file: Any) -> LogFile:  # noqa: ANN401 - a block file, or one that fails
    ring = Ring(RING_BYTES, 0, 0, 1, SEED)
    return LogFile(file, RING_OFFSET, PARTNERSHIP, ring, SALT)


@pytest.fixture
def executor() -> CountingExecutor:
    return CountingExecutor()


@pytest.fixture
async def log(tmp_path: Path, executor: CountingExecutor) -> AsyncIterator[LogFile]:
    disk = Disk(OsDisk(), executor)
    path = str(tmp_path / "log")
    await disk.create(path, RING_OFFSET + RING_BYTES)
    async with await disk.open(path) as file:
        yield log_on(file)


async def test_one_append_is_one_job_however_many_frames_it_has(
    log: LogFile, executor: CountingExecutor
) -> None:
    """A hop between loop and thread costs more than the write: group commit pays it once."""
    before = executor.jobs
    await log.append([frame(1, b"a"), frame(2, b"b" * 5000), frame(3, b"c")])
    assert executor.jobs == before + 1
    assert log.durable_lsn == 3


async def test_a_frame_is_read_back_as_it_was_written(log: LogFile) -> None:
    await log.append([frame(1, b"one"), frame(2, b"two")])
    held = log.ring.find(2)
    assert held is not None
    body = await log.read_body(held, 1, 1)
    assert b"".join(body.buffers).endswith(b"two")
    assert (body.first_lsn, body.last_lsn) == (2, 2)


async def test_a_frame_that_rotted_is_not_read_back(log: LogFile) -> None:
    """The peer must not be sent what the disk made of it."""
    await log.append([frame(1, b"sound")])
    held = log.ring.find(1)
    assert held is not None
    start = RING_OFFSET + held.position + HEADER_BYTES + held.payload_bytes - len(b"sound")
    await log.file.write_at([Write(start, (b"Sound",))])
    with pytest.raises(FormatError):
        await log.read_body(held, 1, 1)


async def test_a_frame_never_straddles_the_end_of_the_ring(log: LogFile) -> None:
    """What is left before the end is skipped by a marker that the scan can follow."""
    await log.append([frame(1, bytes(20_000))])
    log.ring.forget_through(1)
    log.ring.durable_head_position = log.ring.head_position
    rest = RING_BYTES - log.ring.tail_position
    await log.append([frame(2, bytes(14_000))])
    held = log.ring.find(2)
    assert held is not None
    assert held.position == RING_BYTES
    marker = parse_header(await log.file.read_at(RING_OFFSET + RING_BYTES - rest, 128))
    assert (marker.kind, marker.total_bytes, marker.first_lsn) == (FrameKind.WRAP, rest, 2)
    header = parse_header(await log.file.read_at(RING_OFFSET, 128))
    assert (header.kind, header.first_lsn) == (FrameKind.DATA, 2)


async def test_headers_chain_the_frames_of_a_segment(log: LogFile) -> None:
    """A frame of an earlier lap is never taken for the next one."""
    await log.append([frame(1, b"a"), frame(2, b"b")])
    await log.append([frame(3, b"c")])
    area = await log.file.read_at(RING_OFFSET, 3 * SECTOR)
    headers = [parse_header(area[start : start + 128]) for start in range(0, len(area), SECTOR)]
    assert [header.prev_crc for header in headers] == [
        SEED,
        headers[0].header_crc,
        headers[1].header_crc,
    ]
    assert {header.salt for header in headers} == {SALT}


async def test_each_frame_says_what_was_durable_when_it_was_written(log: LogFile) -> None:
    """Frames of one job do not vouch for each other: they may be torn together."""
    await log.append([frame(1, b"a")])
    await log.append([frame(2, b"b"), frame(3, b"c")])
    area = await log.file.read_at(RING_OFFSET, 3 * SECTOR)
    headers = [parse_header(area[start : start + 128]) for start in range(0, len(area), SECTOR)]
    assert [header.durable_lsn for header in headers] == [0, 1, 1]


async def test_there_is_no_room_beyond_what_a_superblock_still_names(log: LogFile) -> None:
    await log.append([frame(1, bytes(16_000)), frame(2, bytes(16_000))])
    log.ring.forget_through(2)
    assert not log.has_room(SECTOR), "the superblock on disk still names these frames"
    log.ring.durable_head_position = log.ring.head_position
    assert log.has_room(SECTOR)


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_the_durable_end_stays_where_it_was_when_the_device_fails(operation: str) -> None:
    """Nothing may be acknowledged on the strength of a write that did not end well."""

    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        await files.create("/log", RING_OFFSET + RING_BYTES)
        async with await files.open("/log") as file:
            log = log_on(file)
            await log.append([frame(1, b"kept")])
            disk.fail_at(1, FaultKind.EIO, operation=operation)
            with pytest.raises(StorageError):
                await log.append([frame(2, b"lost")])
            assert log.durable_lsn == 1

    run_simulated(lambda loop: main(SimDisk(loop, "a")))
