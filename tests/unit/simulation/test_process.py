"""A killed process takes no further step, and the kernel finishes what it had in hand, or not."""

import asyncio
from collections import Counter

import pytest

from srshell.simulation import (
    CURRENT_PROCESS,
    Deadlock,
    ProcessKilled,
    SimLoop,
    SimProcess,
    run_simulated,
)


def test_whatever_a_process_starts_belongs_to_it() -> None:
    seen: list[SimProcess | None] = []

    async def note() -> None:
        seen.append(CURRENT_PROCESS.get())
        await asyncio.sleep(0)

    async def main(loop: SimLoop) -> SimProcess:
        async def work() -> None:
            loop.call_soon(lambda: seen.append(CURRENT_PROCESS.get()))
            await loop.run_in_executor(None, lambda: seen.append(CURRENT_PROCESS.get()))
            await asyncio.gather(note(), loop.create_task(note()))

        process = loop.process("a")
        await process.start(work())
        assert CURRENT_PROCESS.get() is None
        return process

    process = run_simulated(main)
    assert seen == [process] * 4


def test_a_killed_process_takes_no_further_step() -> None:
    async def main(loop: SimLoop) -> list[str]:
        steps: list[str] = []

        async def work() -> None:
            try:
                while True:
                    steps.append("step")
                    await asyncio.sleep(1)
            finally:
                steps.append("finally")

        process = loop.process("a")
        process.start(work())
        await asyncio.sleep(3.5)
        process.kill()
        process.kill()
        assert not process.alive
        await asyncio.sleep(10)
        return list(steps)

    assert run_simulated(main) == ["step"] * 4


def test_waking_a_dead_task_does_nothing() -> None:
    async def main(loop: SimLoop) -> list[str]:
        steps: list[str] = []
        future: asyncio.Future[None] = loop.create_future()

        async def work() -> None:
            await future
            steps.append("woken")

        process = loop.process("a")
        process.start(work())
        await asyncio.sleep(1)
        future.set_result(None)
        process.kill()
        await asyncio.sleep(1)
        return steps

    assert run_simulated(main) == []


def test_a_process_that_kills_itself_goes_no_further_than_its_next_wait() -> None:
    async def main(loop: SimLoop) -> list[str]:
        steps: list[str] = []
        process = loop.process("a")

        async def work() -> None:
            process.kill()
            loop.call_soon(steps.append, "callback")
            loop.call_later(1, steps.append, "timer")
            loop.create_task(asyncio.sleep(0))
            steps.append("same step")
            await loop.run_in_executor(None, steps.append, "job")
            steps.append("after")

        process.start(work())
        await asyncio.sleep(10)
        return steps

    assert run_simulated(main) == ["same step"]


def test_dead_timers_move_no_clock() -> None:
    async def main(loop: SimLoop) -> None:
        process = loop.process("a")
        process.start(asyncio.sleep(1000))
        await asyncio.sleep(1)
        process.kill()
        await loop.create_future()

    with pytest.raises(Deadlock, match=r"scheduled at 1\.0"):
        run_simulated(main)


def test_a_pending_job_happens_or_not() -> None:
    async def main(loop: SimLoop) -> tuple[str, ...]:
        happened: list[str] = []

        async def work() -> None:
            await loop.run_in_executor(None, happened.append, "job")
            happened.append("heard of it")

        process = loop.process("a")
        process.start(work())
        await asyncio.sleep(0)
        process.kill()
        await asyncio.sleep(1)
        return tuple(happened)

    outcomes = Counter(run_simulated(main, seed) for seed in range(60))
    assert set(outcomes) == {(), ("job",)}
    assert min(outcomes.values()) > 5


def test_what_was_open_is_closed_at_death() -> None:
    async def main(loop: SimLoop) -> list[str]:
        closed: list[str] = []
        process = loop.process("a")
        first, second = (lambda: closed.append("first")), (lambda: closed.append("second"))
        process.at_death(first)
        process.at_death(second)
        process.forget_at_death(first)
        process.kill()
        process.kill()
        return closed

    assert run_simulated(main) == ["second"]


def test_a_restarted_process_is_another_one() -> None:
    async def main(loop: SimLoop) -> str:
        old = loop.process("a")
        old.kill()
        new = loop.process("a")
        return await new.start(asyncio.sleep(1, "alive"))

    assert run_simulated(main) == "alive"


def test_nobody_starts_tasks_in_a_dead_process() -> None:
    async def main(loop: SimLoop) -> None:
        process = loop.process("a")
        process.kill()
        work = asyncio.sleep(1)
        with pytest.raises(AssertionError):
            process.start(work)
        work.close()

    run_simulated(main)


def test_a_kill_that_surfaces_in_code_fails_nothing_else() -> None:
    async def main(loop: SimLoop) -> None:
        async def work() -> None:
            raise ProcessKilled

        def callback() -> None:
            raise ProcessKilled

        process = loop.process("a")
        process.start(work())
        loop.call_soon(callback)
        await asyncio.sleep(1)
        process.kill()

    run_simulated(main)


def test_finished_tasks_are_forgotten() -> None:
    async def main(loop: SimLoop) -> int:
        process = loop.process("a")
        for _ in range(1000):
            await process.start(asyncio.sleep(0))
        return len(process.tasks)

    assert run_simulated(main) < 200
