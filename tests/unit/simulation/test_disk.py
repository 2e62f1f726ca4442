"""The simulated disk keeps what was synced, and of the rest whatever hurts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from srshell.simulation import (
    FaultKind,
    Operation,
    ProcessKilled,
    SimDisk,
    SimLoop,
    SimProcess,
    run_simulated,
)
from srshell.simulation.faults import CHANGING
from srshell.storage import AlreadyLocked, BlockFile, Disk, StorageError, Write

T = TypeVar("T")

PATH = "/pool/volume"
KIB = 1024


class Machine:
    """One disk, and the process that uses it now."""

    def __init__(self, loop: SimLoop, *, harsh: bool = False) -> None:
        self.loop = loop
        self.raw = SimDisk(loop, "a", harsh=harsh)
        self.disk = Disk(self.raw, None)
        self.process: SimProcess = loop.process("a")

    def cut(self) -> None:
        self.process.kill()
        self.raw.power_cut()
        self.process = self.loop.process("a")

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Run to the end, or to the process's."""
        task, ended = self.process.start(work), asyncio.Event()
        task.add_done_callback(lambda _: ended.set())
        self.process.at_death(ended.set)
        await ended.wait()
        return task.result() if task.done() else None

    async def open_volume(self) -> BlockFile:
        """Open the volume in the process."""
        file = await self.run(_volume(self))
        assert file is not None
        return file


def _with_machine(
    main: Callable[[Machine], Coroutine[Any, Any, T]], seed: int = 0, *, harsh: bool = False
) -> T:
    return run_simulated(lambda loop: main(Machine(loop, harsh=harsh)), seed)


async def _volume(machine: Machine, size_bytes: int = 64 * KIB) -> BlockFile:
    if not machine.raw.exists(PATH):
        await machine.disk.create(PATH, size_bytes)
    return await machine.disk.open(PATH)


def test_the_shipped_file_runs_on_it() -> None:
    async def work(machine: Machine) -> None:
        async with await _volume(machine) as file:
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

    _with_machine(lambda machine: machine.run(work(machine)))


def test_a_zeroed_file_is_all_data() -> None:
    async def work(machine: Machine) -> None:
        await machine.disk.create(PATH, 10_000, zeroed=True)
        async with await machine.disk.open(PATH) as file:
            assert await file.data_ranges(0, 10_000) == [(0, 10_000)]
            assert await file.read_at(9_990, 10) == bytes(10)
            with pytest.raises(StorageError, match="SHORT_READ"):
                await file.read_at(9_990, 11)

    _with_machine(lambda machine: machine.run(work(machine)))


@pytest.mark.parametrize("harsh", [True, False])
def test_a_power_cut_keeps_everything_that_was_synced(harsh: bool) -> None:
    async def work(machine: Machine) -> None:
        file = await _volume(machine)
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
        left = _with_machine(main, seed, harsh=harsh)
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
        file = await _volume(machine)
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

    _with_machine(main)


def test_a_job_pending_at_a_kill_may_be_done_in_part() -> None:
    async def write(machine: Machine) -> None:
        file = await _volume(machine)
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

    amounts = Counter(_with_machine(main, seed) for seed in range(80))
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

    _with_machine(main)


def test_a_lock_ends_with_its_process_and_with_the_power() -> None:
    async def open_twice(machine: Machine) -> BlockFile:
        file = await _volume(machine)
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

    _with_machine(main)


def test_a_handle_does_not_survive_a_power_cut() -> None:
    """Not even one that belongs to no process."""

    async def main(machine: Machine) -> None:
        file = await _volume(machine)
        machine.raw.power_cut()
        with pytest.raises(ProcessKilled):
            file._file.sync()

    _with_machine(main)


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

    kept = Counter(_with_machine(main, seed) for seed in range(40))
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
        await machine.disk.remove("/p/two")
        machine.cut()
        assert machine.raw.paths() == ["/q/moved"]
        assert not await machine.disk.exists("/p/one")

    for seed in range(10):
        _with_machine(main_synced, seed, harsh=True)


def test_a_harsh_disk_keeps_any_of_the_names() -> None:
    async def main(machine: Machine) -> tuple[str, ...]:
        machine.raw.create("/p/one", 4096)
        machine.raw.create("/p/two", 4096)
        machine.raw.remove("/p/one")
        machine.raw.remove("/p/two")
        machine.cut()
        return tuple(machine.raw.paths())

    assert len({_with_machine(main, seed, harsh=True) for seed in range(40)}) == 4


def test_a_missing_name_is_an_error_of_ours() -> None:
    async def main(machine: Machine) -> None:
        for call in (machine.raw.open, machine.raw.remove, lambda _: machine.raw.rename("a", "b")):
            with pytest.raises(StorageError, match="ENOENT"):
                call("/absent")
        await machine.disk.create("/p/one", 4096)
        with pytest.raises(StorageError, match="EEXIST"):
            await machine.disk.create("/p/one", 4096)

    _with_machine(main)


@pytest.mark.parametrize("kind", [FaultKind.EIO, FaultKind.ENOSPC])
def test_a_failed_sync_loses_the_pages_and_says_so_once(kind: FaultKind) -> None:
    """The file is broken; a new one on the same disk is told that all is well, and it is not."""

    async def work(machine: Machine) -> None:
        file = await _volume(machine)
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

    _with_machine(main)


def test_lost_pages_are_gone_after_a_power_cut() -> None:
    async def main(machine: Machine) -> None:
        file = await _volume(machine)
        machine.raw.fail_at(1, FaultKind.EIO, operation="sync")
        with pytest.raises(StorageError):
            await file.write_at([Write(0, (b"new",)), Write(8192, (b"far",))], True)
        await file.drop_cache(0, 4096)
        assert await file.read_at(0, 3) == bytes(3)
        assert await file.read_at(8192, 3) == b"far"
        machine.cut()
        assert machine.raw.image(PATH).read(8192, 3) == bytes(3)

    _with_machine(main)


def test_short_writes_and_reads_are_completed_by_the_shipped_code() -> None:
    async def main(machine: Machine) -> None:
        file = await _volume(machine)
        machine.raw.fail_at(1, FaultKind.SHORT, sticky=True)
        data = bytes(range(256)) * 8
        await file.write_at([Write(100, (data[:1000], data[1000:]))], True)
        assert await file.read_at(100, len(data)) == data
        assert machine.raw.faults[0].hits > 4

    for seed in range(5):
        _with_machine(main, seed)


@pytest.mark.parametrize("kind", [FaultKind.EIO, FaultKind.ENOSPC])
def test_a_failed_write_may_have_put_down_its_beginning(kind: FaultKind) -> None:
    async def main(machine: Machine) -> int:
        file = await _volume(machine)
        fault = machine.raw.fail_at(2, kind, operation="write", path="volume")
        await file.write_at([Write(0, (b"\1" * 512,))])
        with pytest.raises(StorageError, match=kind.name):
            await file.write_at([Write(512, (b"\2" * 4096,))], True)
        assert fault.hits == 1
        assert file.broken_by is not None
        return machine.raw.image(PATH).read(0, 8192).count(2)

    assert len({_with_machine(main, seed) for seed in range(10)}) > 3


def test_faults_strike_where_they_were_asked_to() -> None:
    async def main(machine: Machine) -> None:
        file = await _volume(machine)
        machine.raw.fail_at(1, FaultKind.EIO, operation="sync", path="another")
        machine.raw.fail_at(2, FaultKind.EIO, operation="read", sticky=True)
        await file.write_at([Write(0, (b"x",))], True)
        await file.read_at(0, 1)
        for _ in range(2):
            with pytest.raises(StorageError, match="EIO"):
                await file.read_at(0, 1)
        machine.raw.heal()
        await file.read_at(0, 1)

    _with_machine(main)


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
        file = await _volume(machine)
        for operation, attempt in attempts.items():
            raw.fail_at(1, FaultKind.EIO, operation=operation)
            with pytest.raises(StorageError, match="EIO"):
                await attempt()
            assert raw.paths() == [PATH], "nothing is left behind, nothing is lost"
        raw.fail_at(1, FaultKind.EIO, operation="punch")
        with pytest.raises(StorageError, match="EIO"):
            await file.punch(0, 4096)

    _with_machine(main)


def test_a_slow_disk_takes_its_time() -> None:
    async def main(machine: Machine) -> None:
        file = await _volume(machine)
        machine.raw.slow_seconds = (1.0, 2.0)
        start = machine.loop.time()
        await file.write_at([Write(0, (b"x",))], True)
        assert 2.0 <= machine.loop.time() - start < 4.1

    _with_machine(main)


@pytest.mark.parametrize("operation", ["write", "sync", "read"])
def test_a_hung_operation_goes_on_where_it_stood(operation: str) -> None:
    """What came before the hang is not done again: somebody wrote there since."""

    async def main(machine: Machine) -> None:
        file, raw = await _volume(machine), machine.raw
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

    _with_machine(main)


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

    _with_machine(main)


def test_rot_is_seen_by_the_next_reader() -> None:
    async def main(machine: Machine) -> None:
        file = await _volume(machine)
        await file.write_at([Write(0, (b"good",))], True)
        machine.raw.image(PATH).flip(1, 0x20)
        assert await file.read_at(0, 4) == b"gOod"

    _with_machine(main)


def test_the_system_writes_back_in_its_own_time() -> None:
    async def main(machine: Machine) -> bool:
        file = await _volume(machine)
        for number in range(200):
            await file.write_at([Write((number % 16) * 4096, (b"\1" * 4096,))])
        return 1 in machine.raw.image(PATH).durable_bytes()

    assert _with_machine(main)


def test_operations_are_named_and_their_wishes_traced() -> None:
    seen: list[Operation] = []

    async def engine_append(file: BlockFile) -> None:
        await file.write_at([Write(512, (b"x" * 10,))], True)

    async def main(loop: SimLoop) -> None:
        machine = Machine(loop)
        machine.raw.after = seen.append
        file = await _volume(machine)
        seen.clear()
        await engine_append(file)

    run_simulated(main, name_call_sites=True)
    assert [(op.name, op.path, op.offset, op.length) for op in seen] == [
        ("write", PATH, 512, 10),
        ("sync", PATH, 0, 0),
    ]
    assert all(op.site.endswith("engine_append") and op.changes for op in seen)
    assert [op.number for op in seen] == [seen[0].number, seen[0].number + 1]


async def _episode(machine: Machine) -> None:
    """Make a file under a temporary name, commit twice, publish it."""
    await machine.disk.create("/p/new", 8192)
    file = await machine.disk.open("/p/new")
    await file.write_at([Write(0, (b"\1" * 4096,))], True)
    await file.write_at([Write(4096, (b"\2" * 4096,))], True)
    await file.close()
    await machine.disk.rename("/p/new", PATH)


def _sweep_points() -> list[tuple[int, str]]:
    operations: list[Operation] = []

    async def main(machine: Machine) -> None:
        machine.raw.before = operations.append
        await machine.run(_episode(machine))

    _with_machine(main)
    return [
        (op.number, moment) for op in operations if op.changes for moment in ("before", "after")
    ]


@pytest.mark.parametrize(("number", "moment"), _sweep_points())
def test_a_crash_at_any_operation_leaves_a_prefix_of_the_work(number: int, moment: str) -> None:
    """The shape of the sweep that the engine goes through."""

    async def main(machine: Machine) -> None:
        def crash(operation: Operation) -> None:
            if operation.number == number:
                machine.cut()

        if moment == "before":
            machine.raw.before = crash
        else:
            machine.raw.after = crash
        await machine.run(_episode(machine))
        assert machine.raw.life == 1
        paths = machine.raw.paths()
        assert paths in ([], ["/p/new"], [PATH])
        if paths == [PATH]:
            content = machine.raw.image(PATH).read(0, 8192)
            assert content == b"\1" * 4096 + b"\2" * 4096

    for seed in range(5):
        _with_machine(main, seed, harsh=seed % 2 == 0)


def test_the_sweep_meets_every_kind_of_change() -> None:
    async def main(machine: Machine) -> set[str]:
        names: set[str] = set()
        machine.raw.before = lambda operation: names.add(operation.name)
        await machine.run(_episode(machine))
        file = await machine.disk.open(PATH)
        await file.punch(0, 4096)
        await file.close()
        await machine.disk.remove(PATH)
        return names

    assert _with_machine(main) >= CHANGING


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

    outcomes = [_with_machine(main, seed) for seed in (1, 1, 2)]
    assert outcomes[0] == outcomes[1] != outcomes[2]
