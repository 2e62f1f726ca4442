"""The wire between two living sites is cut, in both directions or in one: no side is fooled.

A direction that is cut swallows everything, also the news that a connection was closed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from srshell.model.replica import LinkState, OnPeerLoss
from srshell.site.rundir import run_directory, socket_path
from tests.process.claims import Watch
from tests.process.load import Load
from tests.process.pair import PARTNERSHIP, Pair, open_pair
from tests.process.relay import open_relay
from tests.process.scenes import Scene

#: Which directions are cut, as seen from A, which dials and leads.
CUTS: Final = {
    "both": {"there": True, "back": True},
    "there": {"there": True, "back": False},
    "back": {"there": False, "back": True},
}


async def lost(pair: Pair) -> None:
    """Wait until both sides know that they do not hear each other."""
    for array in reversed(pair.arrays):
        await pair.reported(array, lambda r: r.link is not LinkState.CONNECTED, "without its peer")


def alone(directions: str, *, late: bool) -> Scene:
    """The source goes on alone; what was held up arrives ``late``, or never."""

    async def scene(folder: Path) -> None:
        socket = socket_path(run_directory(folder), "B", "link")
        async with (
            open_relay(folder / "wire", socket) as relay,
            open_pair(folder, link_addresses={"B": relay.address}) as pair,
            Watch(pair),
        ):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(30)
                relay.cut(**CUTS[directions])
                await lost(pair)
                await pair.reported("A", lambda report: report.alone, "alone")
                await load.more(30)
                relay.mend(late=late)
                await pair.live()
            assert relay.held_bytes
            await pair.check()

    return scene


def superseded(directions: str) -> Scene:
    """The other side is promoted meanwhile: the old primary may acknowledge nothing more."""

    async def scene(folder: Path) -> None:
        socket = socket_path(run_directory(folder), "B", "link")
        async with (
            open_relay(folder / "wire", socket) as relay,
            open_pair(
                folder, on_peer_loss=OnPeerLoss.SUSPEND_IO, link_addresses={"B": relay.address}
            ) as pair,
            Watch(pair) as watch,
        ):
            first, second = pair.places()
            old = pair.target()
            async with Load(pair.ledger, lambda: old, [first], workers=6) as load:
                await load.more(30)
                relay.cut(**CUTS[directions])
                await lost(pair)
                watch.expect_superseded("A")
                # As an owner does that cannot reach the source.
                await pair.site("B").promote(PARTNERSHIP, "unplanned", None, alone=True)
                pair.primary = "B"
                async with Load(pair.ledger, pair.target, [second], seed=8) as new_load:
                    await new_load.more(30)
                    relay.mend()
                    await pair.live()
                    await new_load.more(10)
            await pair.check()

    return scene


SCENES: Final[dict[str, Scene]] = {
    "both directions, and the source goes on alone": alone("both", late=True),
    "the way there, and the source goes on alone": alone("there", late=False),
    "the way back, and the source goes on alone": alone("back", late=True),
    "the way there, and the destination is promoted": superseded("there"),
    "the way back, and the destination is promoted": superseded("back"),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_no_acknowledged_write_is_lost_when_the_wire_is_cut_in(
    scene: str, played: Callable[[str], None]
) -> None:
    """Silence is not trusted, late news is not believed."""
    played(scene)
