"""A crash at any operation: how the engine is swept, on something small."""

import pytest

from srshell.simulation import (
    Operation,
    ProcessKilled,
    SimLoop,
    run_simulated,
)
from srshell.simulation.faults import CHANGING
from srshell.storage import BlockFile, Write

from .machine import PATH, Machine, volume, with_machine


def test_operations_are_named_and_their_wishes_traced() -> None:
    seen: list[Operation] = []

    async def engine_append(file: BlockFile) -> None:
        await file.write_at([Write(512, (b"x" * 10,))], True)

    async def main(loop: SimLoop) -> None:
        machine = Machine(loop)
        machine.raw.after = seen.append
        file = await volume(machine)
        seen.clear()
        await engine_append(file)

    run_simulated(main, name_call_sites=True)
    assert [(op.name, op.path, op.offset, op.length) for op in seen] == [
        ("write", PATH, 512, 10),
        ("sync", PATH, 0, 0),
    ]
    assert all(op.site.endswith("engine_append") and op.changes for op in seen)
    assert [op.number for op in seen] == [seen[0].number, seen[0].number + 1]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_power_cut_ends_the_operation_of_whoever_asked(moment: str) -> None:
    """Also where no process was killed with it."""

    async def main(machine: Machine) -> None:
        file = await volume(machine)

        def cut(operation: Operation) -> None:
            machine.raw.power_cut()

        setattr(machine.raw, moment, cut)
        with pytest.raises(ProcessKilled):
            file._file.write_at([Write(0, (b"ghost",))], False)
        assert machine.raw.image(PATH).read(0, 5) == bytes(5) or moment == "after"

    with_machine(main)


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

    with_machine(main)
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
        with_machine(main, seed, harsh=seed % 2 == 0)


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

    assert with_machine(main) >= CHANGING
