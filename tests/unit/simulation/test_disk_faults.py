"""A simulated disk breaks where it is asked to, as a real one does."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from srshell.simulation import (
    FaultKind,
)
from srshell.storage import StorageError, Write

from .machine import PATH, Machine, volume, with_machine


@pytest.mark.parametrize("kind", [FaultKind.EIO, FaultKind.ENOSPC])
def test_a_failed_sync_loses_the_pages_and_says_so_once(kind: FaultKind) -> None:
    """The file is broken; a new one on the same disk is told that all is well, and it is not."""

    async def work(machine: Machine) -> None:
        file = await volume(machine)
        await file.write_at([Write(0, (b"old",))], True)
        machine.raw.fail_at(1, kind, operation="sync")
        with pytest.raises(StorageError, match=kind.name):
            await file.write_at([Write(0, (b"new",))], True)
        with pytest.raises(StorageError, match="broken"):
            await file.sync()
        await file.close()
        again = await machine.disk.open(PATH)
        await again.sync()
        assert await again.read_at(0, 3) == b"new", "the cache still shows it"
        await again.write_at([Write(1024, (b"later",))], False)
        await again.drop_cache(0, 4096)
        assert await again.read_at(0, 3) == b"old", "the disk never had it"
        assert await again.read_at(1024, 5) == b"later", "what is dirty stays"

    async def main(machine: Machine) -> None:
        await machine.run(work(machine))
        machine.cut()
        assert machine.raw.image(PATH).durable_bytes()[:3] == b"old"

    with_machine(main)


def test_lost_pages_are_gone_after_a_power_cut() -> None:
    async def main(machine: Machine) -> None:
        file = await volume(machine)
        machine.raw.fail_at(1, FaultKind.EIO, operation="sync")
        with pytest.raises(StorageError):
            await file.write_at([Write(0, (b"new",)), Write(8192, (b"far",))], True)
        await file.drop_cache(0, 4096)
        assert await file.read_at(0, 3) == bytes(3)
        assert await file.read_at(8192, 3) == b"far"
        machine.cut()
        assert machine.raw.image(PATH).read(8192, 3) == bytes(3)

    with_machine(main)


def test_short_writes_and_reads_are_completed_by_the_shipped_code() -> None:
    async def main(machine: Machine) -> None:
        file = await volume(machine)
        machine.raw.fail_at(1, FaultKind.SHORT, sticky=True)
        data = bytes(range(256)) * 8
        await file.write_at([Write(100, (data[:1000], data[1000:]))], True)
        assert await file.read_at(100, len(data)) == data
        assert machine.raw.faults[0].hits > 4

    for seed in range(5):
        with_machine(main, seed)


@pytest.mark.parametrize("kind", [FaultKind.EIO, FaultKind.ENOSPC])
def test_a_failed_write_may_have_put_down_its_beginning(kind: FaultKind) -> None:
    async def main(machine: Machine) -> int:
        file = await volume(machine)
        fault = machine.raw.fail_at(2, kind, operation="write", path="volume")
        await file.write_at([Write(0, (b"\1" * 512,))])
        with pytest.raises(StorageError, match=kind.name):
            await file.write_at([Write(512, (b"\2" * 4096,))], True)
        assert fault.hits == 1
        assert file.broken_by is not None
        return machine.raw.image(PATH).read(0, 8192).count(2)

    assert len({with_machine(main, seed) for seed in range(10)}) > 3


def test_faults_strike_where_they_were_asked_to() -> None:
    async def main(machine: Machine) -> None:
        file = await volume(machine)
        machine.raw.fail_at(1, FaultKind.EIO, operation="sync", path="another")
        machine.raw.fail_at(2, FaultKind.EIO, operation="read", sticky=True)
        await file.write_at([Write(0, (b"x",))], True)
        await file.read_at(0, 1)
        for _ in range(2):
            with pytest.raises(StorageError, match="EIO"):
                await file.read_at(0, 1)
        machine.raw.heal()
        await file.read_at(0, 1)

    with_machine(main)


def test_every_kind_of_operation_can_fail() -> None:
    async def main(machine: Machine) -> None:
        raw, disk = machine.raw, machine.disk
        attempts: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "create": lambda: disk.create("/p/new", 4096),
            "link": lambda: disk.create("/p/new", 4096),
            "sync_directory": lambda: disk.create("/p/new", 4096),
            "open": lambda: disk.open(PATH, lock=False),
            "rename": lambda: disk.rename(PATH, "/p/other"),
            "remove": lambda: disk.remove(PATH),
        }
        file = await volume(machine)
        for operation, attempt in attempts.items():
            raw.fail_at(1, FaultKind.EIO, operation=operation)
            with pytest.raises(StorageError, match="EIO"):
                await attempt()
            assert raw.paths() == [PATH], "nothing is left behind, nothing is lost"
        raw.fail_at(1, FaultKind.EIO, operation="punch")
        with pytest.raises(StorageError, match="EIO"):
            await file.punch(0, 4096)

    with_machine(main)


def test_a_slow_disk_takes_its_time() -> None:
    async def main(machine: Machine) -> None:
        file = await volume(machine)
        machine.raw.slow_seconds = (1.0, 2.0)
        start = machine.loop.time()
        await file.write_at([Write(0, (b"x",))], True)
        assert 2.0 <= machine.loop.time() - start < 4.1

    with_machine(main)


@pytest.mark.parametrize("operation", ["write", "sync", "read"])
def test_a_hung_operation_goes_on_where_it_stood(operation: str) -> None:
    """What came before the hang is not done again: somebody wrote there since."""

    async def main(machine: Machine) -> None:
        file, raw = await volume(machine), machine.raw
        other = await machine.disk.open(PATH, lock=False)
        raw.fail_at(1, FaultKind.HANG, operation=operation)

        async def work() -> bytes:
            await file.write_at([Write(0, (b"first",))], True)
            return await file.read_at(0, 5)

        task = machine.process.start(work())
        await asyncio.sleep(1000)
        assert raw.hung
        assert not task.done()
        raw.hung = False
        await other.write_at([Write(0, (b"newer",))], False)
        raw.hung = True
        assert not task.done()
        raw.resume()
        expected = {"write": b"first", "sync": b"newer", "read": b"newer"}[operation]
        assert await task == expected

    with_machine(main)


def test_all_operations_wait_on_a_hung_disk_and_end_with_their_process() -> None:
    async def main(machine: Machine) -> None:
        file = await machine.open_volume()
        machine.raw.hang()
        hung = machine.process.start(file.write_at([Write(0, (b"ghost",))]))
        await asyncio.sleep(10)
        machine.process.kill()
        machine.raw.resume()
        await asyncio.sleep(10)
        assert not hung.done()
        assert machine.raw.image(PATH).read(0, 5) == bytes(5)

    with_machine(main)


def test_rot_is_seen_by_the_next_reader() -> None:
    async def main(machine: Machine) -> None:
        file = await volume(machine)
        await file.write_at([Write(0, (b"good",))], True)
        machine.raw.image(PATH).flip(1, 0x20)
        assert await file.read_at(0, 4) == b"gOod"

    with_machine(main)
