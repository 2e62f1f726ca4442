"""One system call of the real process goes wrong: it is killed there, or the call fails.

The long form goes through all of them: ``python -m tests.soak.calls``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from srshell.model.replica import OnPeerLoss
from tests import needs
from tests.process.claims import Watch
from tests.process.load import Load
from tests.process.loop_fs import small_memory
from tests.process.pair import MIB, PARTNERSHIP, RESTLESS, open_pair
from tests.process.scenes import Scene
from tests.process.sweep import ERRORS, KILL, Passed, Point, fail_at, kill_at
from tests.process.tracer import Tampering, tamper_with


def killed(array: str) -> Scene:
    """Kill a site in one call after the other, at opening and under load."""
    points = [
        Point(array, Tampering("fdatasync", KILL, 2), opening=True),
        Point(array, Tampering("pwritev2", KILL, 2)),
        Point(array, Tampering("pwritev2", KILL, 3)),
        Point(array, Tampering("pwrite64", KILL, 2)),
    ]

    async def scene(folder: Path) -> None:
        async with open_pair(folder, pace=RESTLESS) as pair, Watch(pair):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(20)
                for point in points:
                    assert await kill_at(pair, point) is Passed.ENDED, point
            await pair.check()

    return scene


def failed(array: str, call: str, error: str, nth: int) -> Scene:
    """Let a call fail once."""

    async def scene(folder: Path) -> None:
        point = Point(array, Tampering(call, ERRORS[error], nth))
        assert await fail_at(folder, point) is Passed.FAILED, point

    return scene


def failed_in_memory(array: str, call: str, error: str, nth: int) -> Scene:
    """Let a call fail once, of logs on a file system where a commit is a write and a sync."""
    scene = failed(array, call, error, nth)

    async def in_memory(folder: Path) -> None:
        with small_memory(folder / "m", 64 * MIB) as memory:
            await scene(memory)

    return in_memory


async def late(folder: Path) -> None:
    """Let every write of the source take its time, while the destination takes its place.

    What was on its way to a file when the old primary was replaced gets there, or never: once it
    follows, nothing of its old role comes after.
    """
    async with open_pair(folder, on_peer_loss=OnPeerLoss.SUSPEND_IO) as pair:
        old = pair.target()
        first, second = pair.places()
        slow = Tampering("pwritev2,pwrite64", "delay_enter=200000", 1, onwards=True)
        async with Load(pair.ledger, lambda: old, [first], workers=8) as load:
            await load.more(20)
            traced = await tamper_with(pair, "A", slow)
            await load.more(10)
            await pair.site("B").promote(PARTNERSHIP, "unplanned", None, alone=True)
            pair.primary = "B"
            async with Load(pair.ledger, pair.target, [second], seed=8) as new_load:
                await new_load.more(10)
                await pair.live()
                await new_load.more(10)
        await traced.let_go()
        await pair.check()


SCENES: Final[dict[str, Scene]] = {
    "the source is killed in it": killed("A"),
    "the destination is killed in it": killed("B"),
    "a sync fails at the source": failed_in_memory("A", "fdatasync", "EIO", 2),
    "a commit fails at the source": failed("A", "pwritev2", "EIO", 2),
    "a sync fails at the destination": failed_in_memory("B", "fdatasync", "EIO", 2),
    "the log of the destination is full": failed("B", "pwritev2", "ENOSPC", 2),
    "a write fails at the destination": failed("B", "pwrite64", "EIO", 2),
    "writes of the source come late, and it is replaced": late,
}


@pytest.mark.slow
@needs.root()
@needs.tools("strace")
@needs.tracing()
@pytest.mark.parametrize("scene", SCENES)
def test_a_call_goes_wrong(scene: str, played: Callable[[str], None]) -> None:
    """No acknowledged write is lost, and an error is never forgotten."""
    played(scene)
