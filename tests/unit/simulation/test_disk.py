"""The simulated disk keeps what was synced, and of the rest whatever hurts."""

import asyncio
from collections import Counter

import pytest

from srshell.simulation import (
    ProcessKilled,
)
from srshell.storage import AlreadyLocked, BlockFile, StorageError, Write

from .machine import KIB, PATH, Machine, volume, with_machine


def test_the_shipped_file_runs_on_it() -> None:
    async def work(machine: Machine) -> None:
        async with await volume(machine) as file:
            assert type(file) is BlockFile
            await file.write_at([Write(10, (b"abc", b"def")), Write(9000, (b"x",))], True)
            assert await file.read_at(8, 10) == b"\0\0abcdef\0\0"
            assert await file.data_ranges(0, file.size()) == [(0, 4096), (8192, 4096)]
            await file.punch(0, 8192)
            assert await file.data_ranges(0, file.size()) == [(8192, 4096)]
            assert await file.read_at(8, 10) == bytes(10)
            await file.drop_cache(0, file.size())
            with pytest.raises(StorageError, match="OUT_OF_RANGE"):
                await file.write_at([Write(file.size(), (b"x",))])

    with_machine(lambda machine: machine.run(work(machine)))


def test_a_zeroed_file_is_all_data() -> None:
    async def work(machine: Machine) -> None:
        await machine.disk.create(PATH, 10_000, zeroed=True)
        async with await machine.disk.open(PATH) as file:
            assert await file.data_ranges(0, 10_000) == [(0, 10_000)]
            assert await file.read_at(9_990, 10) == bytes(10)
            with pytest.raises(StorageError, match="SHORT_READ"):
                await file.read_at(9_990, 11)

    with_machine(lambda machine: machine.run(work(machine)))


@pytest.mark.parametrize("harsh", [True, False])
def test_a_power_cut_keeps_everything_that_was_synced(harsh: bool) -> None:
    async def work(machine: Machine) -> None:
        file = await volume(machine)
        await file.write_at([Write(0, (b"\1" * 32 * KIB,))], True)
        await file.write_at([Write(32 * KIB, (b"\2" * 32 * KIB,))], False)
        await asyncio.sleep(1000)

    async def main(machine: Machine) -> bytes:
        machine.process.start(work(machine))
        await asyncio.sleep(1)
        machine.cut()
        return machine.raw.image(PATH).read(0, 64 * KIB)

    fates = Counter[str]()
    for seed in range(40):
        left = with_machine(main, seed, harsh=harsh)
        assert left[: 32 * KIB] == b"\1" * 32 * KIB
        for at in range(32 * KIB, 64 * KIB, 512):
            sector = left[at : at + 512]
            kept = len(sector) - len(sector.lstrip(b"\2"))
            after = sector[kept:]
            if kept == 512:
                fates["kept"] += 1
            elif not kept:
                fates["dropped" if after == bytes(512) else "garbage"] += 1
            else:
                fates["torn" if after == bytes(512 - kept) else "garbage"] += 1
    assert set(fates) == {"kept", "dropped", "torn"} | ({"garbage"} if harsh else set())


def test_a_kill_keeps_the_cache() -> None:
    """What the dead process wrote can still be read, and is still not durable."""

    async def write(machine: Machine) -> None:
        file = await volume(machine)
        await file.write_at([Write(0, (b"new",))], False)
        await asyncio.sleep(1000)

    async def read(machine: Machine) -> bytes:
        async with await machine.disk.open(PATH) as file:
            return await file.read_at(0, 3)

    async def main(machine: Machine) -> None:
        machine.process.start(write(machine))
        await asyncio.sleep(1)
        machine.process.kill()
        machine.process = machine.loop.process("a")
        assert await machine.run(read(machine)) == b"new"
        machine.raw.harsh = True

    with_machine(main)


def test_a_job_pending_at_a_kill_may_be_done_in_part() -> None:
    async def write(machine: Machine) -> None:
        file = await volume(machine)
        machine.loop.job_seconds = (1.0, 1.0)
        writes = [Write(number * KIB, (b"\xff" * KIB,)) for number in range(6)]
        await file.write_at(writes, True)

    async def main(machine: Machine) -> int:
        machine.process.start(write(machine))
        await asyncio.sleep(0.1)
        assert machine.raw.exists(PATH)
        machine.process.kill()
        written: int = machine.raw.image(PATH).read(0, 64 * KIB).count(0xFF)
        await asyncio.sleep(10)
        assert machine.raw.image(PATH).read(0, 64 * KIB).count(0xFF) == written
        return written

    amounts = Counter(with_machine(main, seed) for seed in range(80))
    assert amounts[0] > 5
    assert amounts[6 * KIB] > 5
    assert any(amount % KIB for amount in amounts), "a write may stop in the middle"
    assert any(0 < amount < 6 * KIB and amount % KIB == 0 for amount in amounts)


def test_nothing_of_a_dead_process_reaches_the_disk() -> None:
    async def write(machine: Machine, file: BlockFile) -> None:
        machine.process.kill()
        with pytest.raises(ProcessKilled):
            file._file.write_at([Write(0, (b"ghost",))], True)
        await file.write_at([Write(0, (b"ghost",))], True)

    async def main(machine: Machine) -> None:
        file = await machine.open_volume()
        machine.process.start(write(machine, file))
        await asyncio.sleep(10)
        assert machine.raw.image(PATH).read(0, 5) == bytes(5)
        with pytest.raises(ProcessKilled):
            file._file.read_at(0, 1)

    with_machine(main)


def test_a_lock_ends_with_its_process_and_with_the_power() -> None:
    async def open_twice(machine: Machine) -> BlockFile:
        file = await volume(machine)
        with pytest.raises(AlreadyLocked):
            await machine.disk.open(PATH)
        async with await machine.disk.open(PATH, writable=False, lock=False) as other:
            with pytest.raises(StorageError, match="EBADF"):
                await other.sync()
        return file

    async def main(machine: Machine) -> None:
        await machine.run(open_twice(machine))
        machine.process.kill()
        machine.process = machine.loop.process("a")
        file = await machine.run(open_twice(machine))
        assert file is not None
        await machine.run(file.close())
        file = await machine.run(open_twice(machine))
        assert file is not None
        machine.cut()
        await machine.run(open_twice(machine))
        with pytest.raises(ProcessKilled):
            file._file.close()

    with_machine(main)


def test_a_handle_does_not_survive_a_power_cut() -> None:
    """Not even one that belongs to no process."""

    async def main(machine: Machine) -> None:
        file = await volume(machine)
        machine.raw.power_cut()
        with pytest.raises(ProcessKilled):
            file._file.sync()

    with_machine(main)


def test_a_name_is_durable_after_its_directory_was_synced() -> None:
    async def main(machine: Machine) -> tuple[str, ...]:
        raw = machine.raw
        for name in ("/p/one", "/p/two", "/p/three"):
            raw.create(name, 4096)
        raw.remove("/p/one")
        raw.rename("/p/two", "/p/renamed")
        raw.rename("/p/three", "/q/moved")
        machine.cut()
        return tuple(sorted(raw.paths()))

    kept = Counter(with_machine(main, seed) for seed in range(40))
    assert set(kept) == {
        ("/p/one", "/p/three", "/p/two"),
        ("/p/three", "/p/two"),
        ("/p/renamed", "/p/three"),
        ("/p/renamed", "/q/moved"),
    }

    async def main_synced(machine: Machine) -> None:
        await machine.disk.create("/p/one", 4096)
        await machine.disk.create("/p/two", 4096)
        await machine.disk.rename("/p/one", "/q/moved")
        machine.cut()
        assert sorted(machine.raw.paths()) == ["/p/two", "/q/moved"]
        await machine.disk.remove("/p/two")
        machine.cut()
        assert machine.raw.paths() == ["/q/moved"]
        assert not await machine.disk.exists("/p/one")

    for seed in range(10):
        with_machine(main_synced, seed, harsh=True)


def test_a_harsh_disk_keeps_any_of_the_names() -> None:
    async def main(machine: Machine) -> tuple[str, ...]:
        machine.raw.create("/p/one", 4096)
        machine.raw.create("/p/two", 4096)
        machine.raw.remove("/p/one")
        machine.raw.remove("/p/two")
        machine.cut()
        return tuple(machine.raw.paths())

    assert len({with_machine(main, seed, harsh=True) for seed in range(40)}) == 4


def test_a_missing_name_is_an_error_of_ours() -> None:
    async def main(machine: Machine) -> None:
        for call in (machine.raw.open, machine.raw.remove, lambda _: machine.raw.rename("a", "b")):
            with pytest.raises(StorageError, match="ENOENT"):
                call("/absent")
        await machine.disk.create("/p/one", 4096)
        with pytest.raises(StorageError, match="EEXIST"):
            await machine.disk.create("/p/one", 4096)

    with_machine(main)


def test_the_system_writes_back_in_its_own_time() -> None:
    async def main(machine: Machine) -> bool:
        file = await volume(machine)
        for number in range(200):
            await file.write_at([Write((number % 16) * 4096, (b"\1" * 4096,))])
        return 1 in machine.raw.image(PATH).durable_bytes()

    assert with_machine(main)


def test_the_same_seed_gives_the_same_disk() -> None:
    async def main(machine: Machine) -> tuple[str, bytes]:
        machine.raw.harsh = True
        file = await machine.open_volume()
        for number in range(20):
            machine.process.start(
                file.write_at([Write(number * 1024, (bytes([number]) * 3000,))], number % 3 == 0)
            )
        await asyncio.sleep(0.0002)
        machine.cut()
        return machine.loop.trace_hash(), machine.raw.image(PATH).read(0, 64 * KIB)

    outcomes = [with_machine(main, seed) for seed in (1, 1, 2)]
    assert outcomes[0] == outcomes[1] != outcomes[2]
