"""A side whose replica cannot be opened is in error, and status says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

import srshell
from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT, VERSION
from srshell.fabric.api import FabricApi
from srshell.model.geometry import MIB
from srshell.model.report import GroupStatus
from srshell.model.states import ReplicationHealth, ReplicationState
from tests.process.harm import put_superblock, superblock


async def protect(folder: Path) -> None:
    """Two groups in sync, of a fabric that is closed then."""
    for place in ("east", "west"):
        (folder / place).mkdir()
    async with srshell.open_fabric(folder / "fabric") as fabric:
        await fabric.discover(folder / "east", "A")
        await fabric.discover(folder / "west", "B")
        await fabric.pair("A", "B")
        await fabric.classify("A/PoolA", "gold")
        await fabric.classify("B/PoolA", "gold")
        await fabric.provision_pair("PV", "RV", MIB, logs=("PL", "RL"), log_size=16 * MIB)
        await fabric.create_group("PriRG", ["PV"], "PL")
        await fabric.create_group("RecRG", ["RV"], "RL")
        await fabric.enable("PriRG", "RecRG")
        await fabric.refresh()
        await fabric.wait("PriRG", timeout=60)


def of_a_later_release(log: Path) -> None:
    """Write the next superblock as a release would that knows more than this one."""
    newest = superblock(log)
    following = attrs.evolve(newest, generation=newest.generation + 1)
    put_superblock(log, following, version=VERSION + 1)


def damaged(log: Path) -> None:
    """Turn a bit over in every superblock."""
    with log.open("r+b") as file:
        for slot in range(SLOT_COUNT):
            file.seek(slot * SLOT_BYTES + 200)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize(("harm", "code"), [(of_a_later_release, "SR9212"), (damaged, "SR9210")])
async def test_status_says_why_a_replica_is_not_there(
    memory_path: Path, harm: Callable[[Path], None], code: str
) -> None:
    """Neither that protection was not begun, nor that all is well."""
    await protect(memory_path)
    for place, log in (("east", "PL"), ("west", "RL")):
        harm(memory_path / place / log)
    async with srshell.open_fabric(memory_path / "fabric") as fabric:
        rows = (await fabric.status()).groups
    assert len(rows) == 2
    for row in rows:
        assert row.replication_state is ReplicationState.ERROR
        assert row.replication_health is ReplicationHealth.CRITICAL
        (reason,) = row.health_reasons
        assert reason.code == "failed"
        assert reason.text.startswith(code)
        assert not row.failover_ready


@pytest.mark.parametrize("array", ["A", "B"])
async def test_a_side_whose_pool_was_emptied_is_replaced(memory_path: Path, array: str) -> None:
    """It is in error, not about to begin; the other side keeps all, and is protected again."""
    await protect(memory_path)
    place, volume, log, group, kept = {
        "A": ("east", "PV", "PL", "PriRG", "RecRG"), "B": ("west", "RV", "RL", "RecRG", "PriRG")
    }[array]  # fmt: skip
    (memory_path / place).rename(memory_path / "lost")
    async with srshell.open_fabric(memory_path / "fabric") as fabric:
        row = await side(fabric, group)
        assert row.replication_state is ReplicationState.ERROR
        assert row.health_reasons[0].text.startswith("SR1101 The pool PoolA of")
        assert (await fabric.why(group)).mend == f"srshell restart {array}"
    (memory_path / place).mkdir()
    async with srshell.open_fabric(memory_path / "fabric") as fabric:
        row = await side(fabric, group)
        assert row.replication_state is ReplicationState.ERROR
        assert row.replication_health is ReplicationHealth.CRITICAL
        if array == "A":
            await fabric.failover(group, "unplanned", kept, accept_loss="unknown")
            await fabric.restart(array)
        line = f"srshell teardown {group} --confirm {group}"
        assert (await fabric.why(group)).mend == line
        await fabric.teardown(group, confirm=group)
        await fabric.remove_group(group)
        for name in (volume, log):
            await fabric.remove_volume(name, confirm=name)
        other = "RV" if array == "A" else "PV"
        await fabric.provision(volume, f"{array}/PoolA", like=other)
        await fabric.provision(log, f"{array}/PoolA", 16 * MIB, log=True)
        await fabric.create_group(group, [volume], log)
        await fabric.enable(kept, group)
        await fabric.refresh()
        await fabric.wait(kept, timeout=60)


async def test_a_side_whose_peer_has_left_can_be_looked_at(memory_path: Path) -> None:
    """Whichever of the two is asked for."""
    await protect(memory_path)
    async with srshell.open_fabric(memory_path / "fabric") as fabric:
        await fabric.teardown("PriRG", this_side_only=True, confirm="PriRG")
        for group in ("PriRG", "RecRG"):
            assert (await fabric.why(group)).object == group
            assert (await fabric.drill(group)).group == group
            await side(fabric, group)


async def side(fabric: FabricApi, group: str) -> GroupStatus:
    """Return what is said of a side."""
    return next(row for row in (await fabric.status(group)).groups if row.name == group)
