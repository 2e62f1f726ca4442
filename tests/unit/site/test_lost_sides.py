"""A side whose disk, pool or files are lost: it leaves its partnership all the same.

Always true: nothing is wiped that could still be opened, and nothing that comes back leads again.
"""

import os

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.site import labels
from srshell.storage import OsDisk, RawFile, StorageError
from tests.unit.site.hosting import MIB, PARTNERSHIP, Fabric, SyncDisk, log, volume


@pytest.mark.parametrize("lost", ["volA", "logA", "volA logA", "volA logA .srshell-pool"])
async def test_a_side_that_lost_its_files_can_be_torn_down(fabric: Fabric, lost: str) -> None:
    """Or its group, and the names of its volumes, would be taken for ever."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    await a.close()
    for name in lost.split():
        (fabric.place / "PoolA" / name).unlink()
    a = await fabric.open("A")
    assert await a.dismantle_replica(PARTNERSHIP) is None
    problems = (await a.describe()).problems
    assert {problem.partnership for problem in problems} <= {""}
    for each in (await a.describe()).volumes:
        await a.delete_volume(each.name)
    await a.create_volume(volume("volA", pool="PoolA", size_bytes=8 * MIB))
    await a.create_volume(log("logA", pool="PoolA"))
    await a.create_replica(fabric.spec("A", "B", partnership="c" * 32))


async def test_an_export_of_a_volume_that_was_lost_can_be_ended(fabric: Fabric) -> None:
    """Or its name would be in use for ever by clients that cannot come."""
    a = await fabric.with_volumes("A")
    await a.export("volA", read_only=False)
    await a.close()
    for name in ("volA", "logA", ".srshell-pool"):
        (fabric.place / "PoolA" / name).unlink()
    a = await fabric.open("A")
    assert (await a.describe()).exports == ("volA",)
    await a.unexport("volA")
    assert (await a.describe()).exports == ()
    with pytest.raises(SrError, match="SR0105"):
        await a.unexport("volA")


async def test_a_cut_volume_can_be_torn_down(fabric: Fabric) -> None:
    """What is left of it stays, and no client is served it as if nothing had happened."""
    a = await fabric.with_volumes("A")
    await a.write("volA", 0, b"kept")
    await a.create_replica(fabric.spec("A", "B"))
    await a.export("volA", read_only=False)
    await a.close()
    os.truncate(fabric.place / "PoolA" / "volA", 4 * MIB)
    a = await fabric.open("A")
    assert await a.dismantle_replica(PARTNERSHIP) is None
    assert (fabric.place / "PoolA" / "volA").read_bytes()[:4] == b"kept"
    assert (await a.describe()).replicas == ()
    assert (await a.describe()).exports == ()


async def test_a_log_that_is_only_not_opened_is_not_wiped(fabric: Fabric) -> None:
    """It may hold what was acknowledged and not applied yet."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    await a.write("volA", 0, b"kept")
    await a.close()
    path = fabric.place / "PoolA" / "volA"
    held = OsDisk().open(str(path))
    a = await fabric.open("A")
    with pytest.raises(SrError, match="SR3008") as refused:
        await a.dismantle_replica(PARTNERSHIP)
    assert refused.value.mend == "srshell restart A"
    held.close()
    a = await fabric.reopen("A")
    assert await a.dismantle_replica(PARTNERSHIP) == 1
    assert await a.read("volA", 0, 4) == b"kept"


@pytest.mark.parametrize("reused", [False, True])
async def test_what_comes_back_after_a_tear_down_never_leads_again(
    fabric: Fabric, reused: bool
) -> None:
    """Its pool was away; its log is applied, unless its volume is no longer of this replica."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    await a.write("volA", 0, b"kept")
    await a.close()
    pool, away = fabric.place / "PoolA", fabric.place / "away"
    pool.rename(away)
    a = await fabric.open("A")
    assert await a.dismantle_replica(PARTNERSHIP) is None
    away.rename(pool)
    if reused:
        path = pool / labels.LABEL_NAME
        label = labels.read_label(path)
        assert label is not None
        free = (attrs.evolve(v, partnership="" if v.name == "volA" else v.partnership)
                for v in label.volumes)  # fmt: skip
        labels.write_record(path, attrs.evolve(label, volumes=tuple(free)))
        (pool / "volA").write_bytes(b"mine".ljust(8 * MIB, b"\0"))
    a = await fabric.reopen("A")
    assert (await a.describe()).replicas == ()
    assert await a.read("volA", 0, 4) == (b"mine" if reused else b"kept")
    await a.write("volA", 0, b"more")
    await a.delete_volume("logA")


async def test_a_log_is_left_as_it_is_while_a_pool_of_its_volumes_is_away(fabric: Fabric) -> None:
    """What it holds for them is for whoever brings them back."""
    a = await fabric.with_volumes("A")
    await a.add_pool(fabric.pool("A", "PoolL"))
    await a.create_volume(log("logL", pool="PoolL"))
    pool = fabric.place / "PoolL"
    await a.create_replica(attrs.evolve(fabric.spec("A", "B"), log_path=str(pool / "logL")))
    await a.write("volA", 0, b"kept")
    await a.close()
    (fabric.place / "PoolA").rename(fabric.place / "away")
    a = await fabric.open("A")
    before = (pool / "logL").read_bytes()
    assert await a.dismantle_replica(PARTNERSHIP) is None
    assert (pool / "logL").read_bytes() == before
    await a.delete_volume("logL")


async def test_a_side_that_could_not_leave_says_why(
    fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file system became read-only beneath it; once that is mended, it leaves."""
    disk = SyncDisk()
    a = await fabric.with_volumes("A", raw=disk)
    await a.create_replica(fabric.spec("A", "B"))
    disk.fails = True
    with pytest.raises(SrError):
        await a.write("volA", 0, b"lost")

    def refuse(path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        raise StorageError("open", path, "EROFS")

    monkeypatch.setattr(disk, "open", refuse)
    with pytest.raises(SrError, match="SR9220"):
        await a.dismantle_replica(PARTNERSHIP)
    told = [(p.noun, p.partnership, p.code) for p in (await a.describe()).problems]
    assert told == [("replica", PARTNERSHIP, "SR9220")]
    monkeypatch.undo()
    disk.fails = False
    a = await fabric.reopen("A")
    await a.dismantle_replica(PARTNERSHIP)
    assert (await a.describe()).problems == ()
