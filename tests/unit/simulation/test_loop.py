"""Time is virtual, order comes from the seed, and an executor behaves as badly as a real one."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from srshell.simulation import Deadlock, Runaway, SimLoop, run_simulated
from srshell.simulation.loop import WALL_START_SECONDS

ROOT = Path(__file__).resolve().parents[3]


def test_time_passes_only_when_nothing_is_left_to_do() -> None:
    async def main(loop: SimLoop) -> list[float]:
        times = [loop.time()]
        for seconds in (0.0, 0.5, 86_400.0):
            await asyncio.sleep(seconds)
            times.append(loop.time())
        assert loop.wall_time() == WALL_START_SECONDS + loop.time()
        return times

    assert run_simulated(main) == [0.0, 0.0, 0.5, 86_400.5]


def test_timers_and_timeouts_work() -> None:
    async def main(loop: SimLoop) -> None:
        called: list[float] = []
        loop.call_later(3, lambda: called.append(loop.time()))
        cancelled = loop.call_later(1, called.append, -1.0)
        loop.call_at(2, cancelled.cancel)
        loop.call_at(0.5, cancelled.cancel)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await loop.create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 5)
        assert called == [3.0]
        assert loop.time() == 10.0

    run_simulated(main)


def test_many_cancelled_timers_are_forgotten() -> None:
    async def main(loop: SimLoop) -> int:
        for _ in range(2000):
            loop.call_later(1000, print).cancel()
            await asyncio.sleep(0.001)
        return len(loop._scheduled)

    assert run_simulated(main) < 300


def test_a_deadlock_is_an_error_that_says_where() -> None:
    async def wait_for_godot(future: asyncio.Future[None]) -> None:
        await future

    async def main(loop: SimLoop) -> None:
        await loop.create_task(wait_for_godot(loop.create_future()), name="estragon")

    with pytest.raises(Deadlock, match="estragon at wait_for_godot"):
        run_simulated(main)


def test_an_endless_run_ends() -> None:
    async def main(loop: SimLoop) -> None:
        def again() -> None:
            loop.call_soon(again)

        again()
        await loop.create_future()

    with pytest.raises(Runaway):
        run_simulated(main, events_max=1000)


def test_what_fails_unseen_fails_the_run() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def main_callback(loop: SimLoop) -> None:
        loop.call_soon(divmod, 1, 0)
        await asyncio.sleep(1)

    async def main_task(loop: SimLoop) -> None:
        task = loop.create_task(fail())
        await asyncio.sleep(1)
        del task

    for main in (main_callback, main_task):
        with pytest.raises(ZeroDivisionError):
            run_simulated(main)


def test_a_message_without_an_error_fails_the_run_too() -> None:
    async def main(loop: SimLoop) -> None:
        loop.call_exception_handler({"message": "something is odd"})

    with pytest.raises(AssertionError, match="odd"):
        run_simulated(main)


def test_unfinished_tasks_end_with_the_world() -> None:
    ended: list[str] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("stayed")
            await asyncio.sleep(1)

    async def main(loop: SimLoop) -> None:
        tasks = [loop.create_task(stay()), loop.process("x").start(stay())]
        await asyncio.sleep(1)
        tasks.append(loop.create_task(stay()))

    run_simulated(main)
    assert ended == ["stayed"] * 3


def test_a_job_happens_between_its_start_and_its_end() -> None:
    async def main(loop: SimLoop) -> None:
        for _ in range(200):
            start = loop.time()
            moment = await loop.run_in_executor(None, loop.time)
            assert start <= moment <= loop.time()
            assert loop.time() - start <= loop.job_seconds[1]

    run_simulated(main)


def test_jobs_happen_and_end_in_any_order() -> None:
    async def main(loop: SimLoop) -> tuple[list[int], list[int]]:
        happened: list[int] = []
        ended: list[int] = []

        async def job(number: int) -> None:
            await loop.run_in_executor(None, happened.append, number)
            ended.append(number)

        await asyncio.gather(*(job(number) for number in range(50)))
        return happened, ended

    happened, ended = run_simulated(main)
    assert sorted(happened) == sorted(ended) == list(range(50))
    assert len({tuple(happened), tuple(ended), tuple(range(50))}) == 3


def test_a_cancelled_job_happens_all_the_same() -> None:
    """A pool cannot take back what a thread is doing."""

    async def main(loop: SimLoop) -> list[str]:
        happened: list[str] = []
        future = loop.run_in_executor(None, happened.append, "ghost")
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert happened == []
        await asyncio.sleep(1)
        return happened

    assert run_simulated(main) == ["ghost"]


def test_an_error_in_a_job_belongs_to_its_waiter() -> None:
    async def main(loop: SimLoop) -> None:
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)

    run_simulated(main)


def test_no_real_thread_may_call_in() -> None:
    async def main(loop: SimLoop) -> None:
        failures: list[AssertionError] = []

        def call() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except AssertionError as error:
                failures.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert len(failures) == 1
        loop.call_soon_threadsafe(int)

    run_simulated(main)


def test_the_call_site_of_a_job_can_be_named() -> None:
    sites: list[str] = []

    async def want(loop: SimLoop) -> None:
        def look() -> None:
            assert loop.current_job is not None
            sites.append(loop.current_job.site)

        await loop.run_in_executor(None, look)

    run_simulated(want, name_call_sites=True)
    assert sites[0].endswith("test_the_call_site_of_a_job_can_be_named.<locals>.want")


async def _muddle(loop: SimLoop) -> str:
    """Do everything whose order could depend on addresses, hashes or threads."""

    async def step(number: int) -> None:
        loop.record("start", number)
        try:
            await asyncio.sleep(loop.random(f"step {number}").random())
            await loop.run_in_executor(None, loop.record, "job", number)
            await asyncio.sleep(10)
        finally:
            loop.record("end", number)

    tasks = [loop.create_task(step(number)) for number in range(40)]
    done, pending = await asyncio.wait(set(tasks), timeout=0.5)
    loop.record("waited", len(done), len(pending))
    for task in pending:
        task.cancel()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(40, 60):
                group.create_task(step(number))
            await asyncio.sleep(0.2)
            divmod(1, 0)
    except* ZeroDivisionError:
        pass

    def note(number: int, _: object) -> None:
        loop.record("future", number)

    futures = {loop.create_future() for _ in range(30)}
    for number, future in enumerate(futures):
        future.add_done_callback(partial(note, number))
    for future in set(futures):
        future.cancel()
    await asyncio.sleep(0)
    return loop.trace_hash()


def test_the_same_seed_gives_the_same_trace() -> None:
    first, second = run_simulated(_muddle, 7), run_simulated(_muddle, 7)
    sys.stdout.write(f"{first}\n{second}\n")
    assert first == second
    assert run_simulated(_muddle, 8) != first


def test_the_trace_does_not_depend_on_the_interpreter_process() -> None:
    """Two processes, two hash seeds, two layouts of memory."""
    program = (
        "import sys; junk = [object() for _ in range(int(sys.argv[1]))]\n"
        "sys.path.insert(0, '.'); import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('muddle', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "print(module.run_simulated(module._muddle, 7))"
    )
    hashes = [
        subprocess.run(
            [sys.executable, "-c", program, junk],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed, junk in (("1", "0"), ("2", "99999"))
    ]
    assert hashes == [run_simulated(_muddle, 7)] * 2


def test_streams_of_numbers_do_not_disturb_each_other() -> None:
    loop = SimLoop(3)
    first = loop.random("a")
    drawn = [first.random() for _ in range(3)]
    loop.random("b").random()
    again = loop.random("a")
    assert [again.random() for _ in range(3)] == drawn
    loop.close()
    loop.close()


@pytest.mark.parametrize("keep", [True, False])
def test_the_trace_can_be_kept(keep: bool) -> None:
    async def main(loop: SimLoop) -> list[str] | None:
        await asyncio.sleep(1.5)
        loop.record("something", 1)
        return loop.trace

    assert run_simulated(main, keep_trace=keep) == (["1.5 ('something', 1)\n"] if keep else None)


@pytest.mark.parametrize("call", [lambda loop: loop.create_task(asyncio.sleep(0)).cancel])
def test_a_task_has_a_name_of_this_run(call: Callable[[SimLoop], object]) -> None:
    async def main(loop: SimLoop) -> str:
        return loop.create_task(asyncio.sleep(0)).get_name()

    assert run_simulated(main) == run_simulated(main)
