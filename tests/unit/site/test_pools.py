"""A pool belongs to one site, and says so."""

from pathlib import Path

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.site import labels
from srshell.site.api import PoolSpec, SiteVolume
from tests import needs
from tests.unit.site.hosting import IDENTITY, MIB, Fabric, volume
from tests.unit.site.loops import loop_device


def _device(path: Path, name: str = "PoolD") -> PoolSpec:
    return PoolSpec(name, str(path), PoolKind.VOLUME, IDENTITY)


async def test_a_pool_is_labelled_with_fabric_and_array(fabric: Fabric) -> None:
    """A lost catalogue is rebuilt from this."""
    site = await fabric.with_pool("A")
    usage = await site.add_pool(attrs.evolve(fabric.pool("A"), classification="gold"))
    assert (usage.classification, usage.kind) == ("gold", PoolKind.FILE)
    assert 0 < usage.free_bytes <= usage.size_bytes
    label = labels.read_label(fabric.place / "PoolA" / labels.LABEL_NAME)
    assert label is not None
    assert (label.fabric, label.array, label.pool) == (IDENTITY, "A", "PoolA")
    assert label.classification == "gold"


async def test_adding_a_pool_again_changes_nothing(fabric: Fabric) -> None:
    """Commands may be repeated."""
    site = await fabric.with_pool("A")
    before = (fabric.place / "PoolA" / labels.LABEL_NAME).stat().st_mtime_ns
    await site.add_pool(fabric.pool("A"))
    assert (fabric.place / "PoolA" / labels.LABEL_NAME).stat().st_mtime_ns == before
    assert len((await site.describe()).pools) == 1


async def test_a_name_stands_for_one_pool(fabric: Fabric) -> None:
    """The second place would hide the first one."""
    site = await fabric.with_pool("A")
    with pytest.raises(SrError, match="SR0103"):
        await site.add_pool(attrs.evolve(fabric.pool("A", "Other"), name="PoolA"))


async def test_a_place_stands_for_one_name(fabric: Fabric) -> None:
    """Two pools in one place would hand out its space twice."""
    site = await fabric.with_pool("A")
    with pytest.raises(SrError, match="SR9221"):
        await site.add_pool(attrs.evolve(fabric.pool("A"), name="Second"))
    await site.close()
    site = await fabric.open("A")
    with pytest.raises(SrError, match="SR9221"):
        await site.add_pool(attrs.evolve(fabric.pool("A"), name="Second"))


async def test_a_pool_of_another_fabric_is_refused(fabric: Fabric) -> None:
    """Two fabrics that write to one pool would not know of each other (rule R18)."""
    site = await fabric.open("A")
    spec = fabric.pool("A")
    foreign = labels.PoolLabel("e" * 32, "ClusterX", "PoolX", PoolKind.FILE, spec.path)
    path = Path(spec.path) / labels.LABEL_NAME
    labels.write_record(path, foreign)
    with pytest.raises(SrError, match="SR1001") as caught:
        await site.add_pool(spec)
    assert "e" * 32 in caught.value.facts
    assert labels.read_label(path) == foreign


async def test_a_pool_of_another_array_is_refused_unless_it_was_renamed(fabric: Fabric) -> None:
    """A copy in the place of its source is no copy (rule R8)."""
    site = await fabric.with_pool("A")
    await site.close()
    other = await fabric.open("B")
    spec = fabric.pool("A")
    with pytest.raises(SrError, match="SR1003"):
        await other.add_pool(spec)
    await other.add_pool(attrs.evolve(spec, renamed_from="A"))
    label = labels.read_label(Path(spec.path) / labels.LABEL_NAME)
    assert label is not None
    assert label.array == "B"


async def test_a_pool_of_a_living_site_is_refused(fabric: Fabric) -> None:
    """The facts name the process that has it."""
    await fabric.with_pool("A")
    other = await fabric.open("B")
    with pytest.raises(SrError, match="SR9221") as caught:
        await other.add_pool(attrs.evolve(fabric.pool("A"), renamed_from="A"))
    assert "held by site A, process" in caught.value.facts


async def test_a_file_holds_no_pool(fabric: Fabric) -> None:
    """A pool is a directory or a block device."""
    site = await fabric.open("A")
    (fabric.place / "file").write_bytes(b"")
    for kind in PoolKind:
        with pytest.raises(SrError, match="SR1103"):
            await site.add_pool(PoolSpec("Pool", str(fabric.place / "file"), kind, IDENTITY))


async def test_a_place_that_does_not_fit_is_refused_before_it_is_touched(fabric: Fabric) -> None:
    """What speaks against it is in the facts."""
    site = await fabric.open("A")
    spec = fabric.pool("A")
    (fabric.place / "PoolA").chmod(0o777)
    with pytest.raises(SrError, match="SR1101") as caught:
        await site.add_pool(spec)
    assert "every user may write into it" in caught.value.facts
    assert not list((fabric.place / "PoolA").iterdir())


async def test_an_empty_pool_is_given_back_without_a_trace(fabric: Fabric) -> None:
    """The lock file stays: somebody may be waiting for it."""
    site = await fabric.with_pool("A")
    await site.create_volume(volume())
    with pytest.raises(SrError, match="SR2014"):
        await site.remove_pool("PoolA")
    await site.delete_volume("vol")
    await site.remove_pool("PoolA")
    assert (await site.describe()).pools == ()
    left = [path.name for path in (fabric.place / "PoolA").iterdir()]
    assert left == [".srshell-pool.lock"]
    site = await fabric.reopen("A")
    assert (await site.describe()).pools == ()


async def test_pools_and_volumes_are_found_again_after_a_restart(fabric: Fabric) -> None:
    """Nobody has to tell a site what it hosts."""
    site = await fabric.with_volumes("A")
    await site.write("volA", 4096, b"kept")
    before = await site.describe()
    site = await fabric.reopen("A")
    after = await site.describe()
    assert after.volumes == before.volumes
    assert [pool.name for pool in after.pools] == ["PoolA"]
    assert await site.read("volA", 4096, 4) == b"kept"


async def test_a_pool_that_has_gone_is_a_problem_and_not_the_end(fabric: Fabric) -> None:
    """A disk that is not mounted must not keep the other pools down."""
    site = await fabric.with_volumes("A")
    await site.add_pool(fabric.pool("A", "Second"))
    await site.close()
    (fabric.place / "PoolA").rename(fabric.place / "away")
    site = await fabric.open("A")
    report = await site.describe()
    assert [pool.name for pool in report.pools] == ["Second"]
    assert [(p.noun, p.name, p.code) for p in report.problems] == [("pool", "PoolA", "SR1103")]
    (fabric.place / "away").rename(fabric.place / "PoolA")
    report = await site.rescan()
    assert report.problems == ()
    assert {v.name for v in report.volumes} == {"volA", "logA"}


@needs.loop_devices()
async def test_a_block_device_is_a_pool_of_one_volume(fabric: Fabric) -> None:
    """Volume storage: nothing of ours is on the device beside the data."""
    site = await fabric.open("A")
    with loop_device(fabric.place / "disk", 4 * MIB) as device:
        usage = await site.add_pool(_device(device))
        assert (usage.size_bytes, usage.free_bytes) == (4 * MIB, 4 * MIB)
        made = await site.create_volume(volume("first", pool="PoolD", size_bytes=4 * MIB))
        assert made.path == str(device)
        with pytest.raises(SrError, match="SR2005"):
            await site.create_volume(volume("second", pool="PoolD"))
        await site.write("first", 4 * MIB - 4, b"last")
        assert await site.read("first", 4 * MIB - 4, 4) == b"last"
        await site.trim("first", 0, 4 * MIB)
        assert await site.blank("first")
        site = await fabric.reopen("A")
        assert (await site.describe()).volumes[0].name == "first"
        await site.close()


@needs.loop_devices()
async def test_a_block_device_that_holds_data_is_taken_only_with_it(fabric: Fabric) -> None:
    """Somebody's file system must not become a fresh volume (rule R49)."""
    site = await fabric.open("A")
    with loop_device(fabric.place / "disk", 4 * MIB) as device:
        with device.open("r+b", buffering=0) as disk:
            disk.write(b"precious".ljust(512, b"\0"))
        await site.add_pool(_device(device))
        with pytest.raises(SrError, match="SR4002"):
            await site.create_volume(volume("vol", pool="PoolD", size_bytes=4 * MIB))
        taken = await site.attach_volume(SiteVolume("vol", "", 0, 4096, log=False, pool="PoolD"))
        assert taken.size_bytes == 4 * MIB
        assert await site.read("vol", 0, 8) == b"precious"
        await site.delete_volume("vol")
        await site.close()
        assert device.read_bytes()[:8] == b"precious"


@needs.loop_devices()
async def test_a_block_device_is_locked_while_it_is_a_pool(fabric: Fabric) -> None:
    """Whether its volume is in use at the moment or not."""
    site, other = await fabric.open("A"), await fabric.open("B")
    with loop_device(fabric.place / "disk", 4 * MIB) as device:
        await site.add_pool(_device(device))
        with pytest.raises(SrError, match="SR9221") as caught:
            await other.add_pool(_device(device))
        assert caught.value.facts == "another site has it"
        await site.create_volume(volume(pool="PoolD", size_bytes=4 * MIB))
        await site.write("vol", 0, b"x")
        with pytest.raises(SrError, match="SR1101") as caught:
            await other.add_pool(_device(device))
        assert "in use by another program" in caught.value.facts
        await site.close()
        await other.add_pool(_device(device))
        await other.close()
