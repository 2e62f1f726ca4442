"""Sites are killed in mid-flight: every acknowledged write is there, and nobody claimed too much.

Each scene kills the source, the destination and both together at one moment of a group's life, with
writers at work; the sites are started again, come in sync by themselves, and are compared.  Both in
the first copy, and the owner with them, is a scene of test_owner_killed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from srshell.model.errors import SrError
from srshell.model.replica import Flow, ReplicaReport
from srshell.site.api import FaultKind
from tests.process.claims import Watch
from tests.process.load import Load
from tests.process.pair import MIB, PARTNERSHIP, Pair, open_pair
from tests.process.scenes import Scene

VICTIMS: Final = {"source": ("A",), "destination": ("B",), "both": ("A", "B")}

#: Longer than a scene takes; a fault ends with its process, or is ended.
_LONG_SECONDS: Final = 60.0


async def slow_copy(pair: Pair, flow: Flow) -> ReplicaReport:
    """Wait until blocks are being copied, to a disk that is slow; some are sent, some are not."""
    await pair.suffer("B", FaultKind.SLOW_DISK, _LONG_SECONDS)

    def halfway(report: ReplicaReport) -> bool:
        progress = report.progress
        return (
            report.flow is flow
            and progress is not None
            and progress.done_bytes < progress.total_bytes
            and report.copied_bytes_total > 0
        )

    return await pair.reported("A", halfway, f"in the middle of {flow}")


def slow_load(pair: Pair) -> Load:
    """Writers that a slow disk keeps up with, nearly."""
    return Load(pair.ledger, pair.target, pair.places(), pause_seconds=0.2)


async def while_copying(folder: Path, victims: tuple[str, ...]) -> None:
    async with open_pair(folder, size_bytes=24 * MIB, linked=False) as pair, Watch(pair):
        await pair.fill(20 * MIB)
        async with slow_load(pair) as load:
            await load.more(10)
            await pair.suffer("B", FaultKind.SLOW_DISK, _LONG_SECONDS)
            await pair.start_copy()
            await slow_copy(pair, Flow.INITIAL_COPY)
            # Blocks of different moments side by side are nothing that anybody may lead with.
            with pytest.raises(SrError, match="SR6026"):
                await pair.site("B").promote(PARTNERSHIP, "unplanned", None, alone=True)
            await pair.kill(victims)
            await pair.suffer("B", FaultKind.SLOW_DISK, 0)
            await load.more(10)
            await pair.live()
            await load.more(10)
        await pair.check()


async def while_writing(folder: Path) -> None:
    async with open_pair(folder) as pair, Watch(pair):
        async with Load(pair.ledger, pair.target, pair.places()) as load:
            for victims in VICTIMS.values():
                await load.more(60)
                await pair.kill(victims)
                await load.more(1)
                await pair.live()
        await pair.check()


async def alone(pair: Pair, load: Load) -> None:
    """Take the destination away until the source acknowledges without it."""
    await pair.take_down("B")
    await pair.reported("A", lambda report: report.alone, "alone")
    await load.more(30)


async def replaying(pair: Pair, load: Load) -> None:
    """Wait until the source replays its log; part the sides if they are in step already."""
    flows = {Flow.LOG_REPLAY, Flow.LIVE}
    while True:
        report = await pair.reported("A", lambda r: r.flow in flows, "linked")
        if report.flow is Flow.LOG_REPLAY:
            return
        await alone(pair, load)
        await pair.bring_back("B")


async def while_replaying(folder: Path) -> None:
    async with open_pair(folder) as pair, Watch(pair):
        async with Load(pair.ledger, pair.target, pair.places()) as load:
            for victims in VICTIMS.values():
                await replaying(pair, load)
                await pair.kill(victims)
                await load.more(10)
            await pair.live()
        await pair.check()


async def kill_and_stay_slow(pair: Pair, victims: tuple[str, ...]) -> None:
    """Kill sites; the destination's disk is slow again before it meets its peer."""
    if victims == ("A", "B"):
        await pair.take_down(*victims)
        await pair.bring_back("B")
        await pair.suffer("B", FaultKind.SLOW_DISK, _LONG_SECONDS)
        await pair.bring_back("A")
        return
    await pair.kill(victims)
    if "B" in victims:
        await pair.suffer("A", FaultKind.LINK_DOWN, _LONG_SECONDS)
        await pair.suffer("B", FaultKind.SLOW_DISK, _LONG_SECONDS)
        await pair.suffer("A", FaultKind.LINK_DOWN, 0)


async def while_copying_marked_blocks(folder: Path) -> None:
    async with open_pair(folder, size_bytes=24 * MIB) as pair, Watch(pair):
        async with slow_load(pair) as load:
            await alone(pair, load)
            # More than the log holds: records alone cannot bring the peer in step any more.
            await pair.fill(20 * MIB)
            # Slow before it meets its peer: a quick disk has all of it in an instant.
            await pair.suffer("A", FaultKind.LINK_DOWN, _LONG_SECONDS)
            await pair.bring_back("B")
            await pair.suffer("B", FaultKind.SLOW_DISK, _LONG_SECONDS)
            await pair.suffer("A", FaultKind.LINK_DOWN, 0)
            for victims in VICTIMS.values():
                await slow_copy(pair, Flow.BITMAP_COPY)
                await kill_and_stay_slow(pair, victims)
                await load.more(10)
            await pair.suffer("B", FaultKind.SLOW_DISK, 0)
            await pair.live()
        await pair.check()


def lost_for_good(victim: str) -> Scene:
    """Kill a side and remove all its files; what was acknowledged is at the other one."""

    async def scene(folder: Path) -> None:
        async with open_pair(folder) as pair, Watch(pair):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(60)
                await pair.take_down(victim)
                shutil.rmtree(pair.path(victim).parent)
                shutil.rmtree(pair.settings(victim).directory)
                if victim == pair.primary:
                    other = pair.secondary
                    await pair.site(other).promote(PARTNERSHIP, "unplanned", None, alone=True)
                    pair.primary = other
                await load.more(10)
            site, volume = pair.target()
            problems = pair.ledger.problems(await site.read(volume, 0, pair.size_bytes))
            assert not problems, problems[:5]

    return scene


SCENES: Final[dict[str, Scene]] = {
    "source, at the first copy": lambda folder: while_copying(folder, VICTIMS["source"]),
    "destination, at the first copy": lambda folder: while_copying(folder, VICTIMS["destination"]),
    "source, for good": lost_for_good("A"),
    "destination, for good": lost_for_good("B"),
    "each, at steady writes": while_writing,
    "each, at log replay": while_replaying,
    "each, at a copy of marked blocks": while_copying_marked_blocks,
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_no_acknowledged_write_is_lost_when_sites_are_killed(
    scene: str, played: Callable[[str], None]
) -> None:
    """Kill -9 at any moment costs neither data nor the truth."""
    played(scene)
