"""Profile seed-strict: what the original refuses is refused, in its order and words."""

from __future__ import annotations

import pytest

from srshell.model.errors import SrError
from srshell.model.states import ReplicationState
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.setting import Opener, protected_fabric


async def test_the_article_s_order_is_kept(opener: Opener, world: FakeWorld) -> None:
    """Prepare on the primary, fail over the recovery group, then reverse the roles."""
    async with protected_fabric(opener, "seed-strict") as fabric:
        with pytest.raises(SrError, match="SR6015"):
            await fabric.failover("RecRG", confirm="RecRG")
        with pytest.raises(SrError, match="SR6017"):
            await fabric.prepare("RecRG")
        await fabric.prepare("PriRG")
        with pytest.raises(SrError, match="SR6016"):
            await fabric.failover("PriRG", confirm="RecRG")
        await fabric.failover("RecRG", confirm="RecRG")
        rows = {row.name: row for row in await fabric.status()}
        assert rows["RecRG"].replication_state is ReplicationState.FAILED_OVER
        assert not rows["RecRG"].failover_ready
        back = await fabric.failback("RecRG", confirm="PriRG")
        assert back.new_primary == "PriRG"
        await fabric.wait("PriRG", timeout=5)


async def test_native_protects_itself_after_a_failover(opener: Opener, world: FakeWorld) -> None:
    """RPO 0 returns without another command, unless that was declined."""
    async with protected_fabric(opener) as fabric:
        await fabric.failover("PriRG", confirm="RecRG")
        assert (await fabric.wait("RecRG", timeout=5)).groups[0].rpo_seconds == 0
        await fabric.failback("RecRG", confirm="PriRG")
        await fabric.wait("PriRG", timeout=5)
        await fabric.failover("PriRG", confirm="RecRG", reprotect=False)
        row = (await fabric.status("RecRG")).groups[0]
        assert row.replication_state is ReplicationState.FAILED_OVER
        await fabric.resume("RecRG")
        await fabric.wait("RecRG", timeout=5)
