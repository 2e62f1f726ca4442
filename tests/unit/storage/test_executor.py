"""A few threads for one device: in order, whatever becomes of the waiter."""

import asyncio
import threading

import pytest

from srshell.storage import DeviceExecutor, DirectExecutor


async def test_results_and_errors_come_back(executor: DeviceExecutor) -> None:
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(executor, divmod, 17, 5) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(executor, divmod, 1, 0)


async def test_jobs_start_in_order() -> None:
    executor = DeviceExecutor(1)
    loop = asyncio.get_running_loop()
    started: list[int] = []
    await asyncio.gather(
        *(loop.run_in_executor(executor, started.append, number) for number in range(200))
    )
    assert started == list(range(200))
    executor.shutdown()


async def test_threads_work_side_by_side() -> None:
    executor = DeviceExecutor(3)
    loop = asyncio.get_running_loop()
    barrier = threading.Barrier(3)
    waits = [loop.run_in_executor(executor, barrier.wait, 10) for _ in range(3)]
    assert sorted(await asyncio.gather(*waits)) == [0, 1, 2]
    executor.shutdown()


async def test_a_job_runs_although_its_future_is_cancelled(executor: DeviceExecutor) -> None:
    loop = asyncio.get_running_loop()
    ran = threading.Event()
    loop.run_in_executor(executor, ran.set).cancel()
    assert await asyncio.to_thread(ran.wait, 10)
    assert await loop.run_in_executor(executor, int) == 0


async def test_shutdown_runs_what_was_submitted_and_refuses_the_rest() -> None:
    executor = DeviceExecutor(1)
    loop = asyncio.get_running_loop()
    futures = [loop.run_in_executor(executor, int) for _ in range(50)]
    executor.shutdown()
    assert await asyncio.gather(*futures) == [0] * 50
    with pytest.raises(RuntimeError, match="shut down"):
        loop.run_in_executor(executor, int)


def test_one_executor_serves_one_loop_after_the_other(executor: DeviceExecutor) -> None:
    async def hop() -> int:
        return await asyncio.get_running_loop().run_in_executor(executor, int, "17")

    assert [asyncio.run(hop()) for _ in range(2)] == [17, 17]


def test_a_job_may_outlive_its_loop(executor: DeviceExecutor) -> None:
    go_on, ran = threading.Event(), threading.Event()

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(executor, go_on.wait, 10)
        loop.run_in_executor(executor, ran.set)

    asyncio.run(leave())
    go_on.set()
    assert ran.wait(10)


def test_without_a_loop_there_is_nobody_to_answer(executor: DeviceExecutor) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        executor.submit(int)


async def test_the_direct_executor_is_done_at_once() -> None:
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(DirectExecutor(), threading.get_ident)
    assert future.done()
    assert await future == threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(DirectExecutor(), divmod, 1, 0)
