"""A peer that takes a link and says nothing keeps nobody waiting for longer than the peer timeout.

A frozen process does so, and a wire that is cut in one direction.
"""

from __future__ import annotations

import attrs
import pytest

from srshell.model.replica import OnPeerLoss, ReplicaRole
from tests.unit.engine.sides import BLOCK, LIMITS, VOLUME, Side, Sides, on_sides

#: A handshake that was answered may take for ever.
PATIENT = attrs.evolve(LIMITS, handshake_seconds=1e3)

#: As seen from A, which leads and dials: from where to where nothing comes through.
CUTS = {"there": ("A", "B"), "back": ("B", "A")}


async def silent(pair: Sides, cut: str) -> None:
    """Break the link, and cut one direction in the middle of the handshake that follows."""
    for source, target in CUTS.values():
        pair.network.set_delay(source, target, 0.05, 0.05)
    pair.network.reset("A", "B")
    side = pair.a if cut == "there" else pair.b
    await pair.until(lambda: pair.a.replica.peer_link.lead is None)
    await pair.until(side.replica.peer_link.linking.locked)
    pair.network.partition(*CUTS[cut], both=False)


@pytest.mark.parametrize("cut", CUTS)
def test_a_primary_goes_alone_although_a_handshake_is_never_answered(cut: str) -> None:
    """It does so once the peer timeout is over; each write that waited is acknowledged."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await silent(pair, cut)
        began = pair.loop.time()
        await pair.a.do(pair.a.replica.write(VOLUME, 0, b"x" * BLOCK))
        assert pair.a.report.alone
        assert pair.loop.time() - began <= PATIENT.peer_timeout_seconds

    on_sides(test, limits=PATIENT)


@pytest.mark.parametrize("cut", CUTS)
def test_a_secondary_is_promoted_although_a_handshake_is_never_answered(cut: str) -> None:
    """At once: whoever promotes it has no reason to wait for the old primary."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await silent(pair, cut)
        began = pair.loop.time()
        await pair.b.do(pair.b.replica.promote("op", None, alone=True))
        assert pair.b.report.role is ReplicaRole.PRIMARY
        assert pair.loop.time() - began < 1

    on_sides(test, limits=PATIENT)


def test_a_primary_whose_handshake_is_never_answered_can_be_torn_down() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await silent(pair, "there")
        began = pair.loop.time()
        side: Side = pair.a
        await side.do(side.replica.dismantle())
        assert pair.loop.time() - began < 1

    on_sides(test, limits=PATIENT)
