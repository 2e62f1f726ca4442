"""A bell wakes the task that waits, and keeps a ring for one that comes later."""

from __future__ import annotations

import asyncio

import pytest

from srshell.engine.bell import Bell


async def test_a_ring_wakes_whoever_waits() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    bell.ring()
    bell.ring()
    await waiting


async def test_a_ring_is_kept_until_it_is_cleared() -> None:
    bell = Bell()
    bell.ring()
    await bell.wait()
    await bell.wait()
    bell.clear()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    bell.ring()
    await bell.wait()


async def test_two_tasks_may_not_wait_for_one_bell() -> None:
    """The second would take the first one's place, which would then sleep for ever."""
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="two tasks"):
        await bell.wait()
    bell.ring()
    await waiting
