"""Volumes are made whole, used safely, and removed completely."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import attrs
import pytest

from srshell.codec.checksum import Buffer
from srshell.model.errors import SrError
from srshell.site import labels
from srshell.site.api import SiteVolume
from srshell.site.backing import NoBacking
from srshell.site.host import Site
from srshell.site.labels import LabelledVolume
from srshell.storage import OsDisk
from tests.unit.site.hosting import MIB, Fabric, SyncDisk, log, volume


def _label(fabric: Fabric, array: str = "A") -> labels.PoolLabel:
    label = labels.read_label(fabric.place / f"Pool{array}" / labels.LABEL_NAME)
    assert label is not None
    return label


async def test_a_data_volume_is_sparse_and_reads_as_zeros(fabric: Fabric) -> None:
    """Its space is taken when it is written."""
    site = await fabric.with_pool()
    made = await site.create_volume(volume(size_bytes=64 * MIB))
    status = (fabric.place / "PoolA" / "vol").stat()
    assert (status.st_size, status.st_mode & 0o777) == (64 * MIB, 0o600)
    assert status.st_blocks * 512 < MIB
    assert made.path == str(fabric.place / "PoolA" / "vol")
    assert made.backing.endswith(f":{status.st_ino}")
    assert await site.read("vol", 32 * MIB, 4096) == bytes(4096)
    assert await site.blank("vol")


async def test_the_space_of_a_log_is_there_from_the_start(fabric: Fabric) -> None:
    """A log that meets a full disk in its first lap would fail its group."""
    site = await fabric.with_pool()
    await site.create_volume(log())
    assert (fabric.place / "PoolA" / "log").stat().st_blocks * 512 >= 12 * MIB


async def test_creating_a_volume_again_changes_nothing(fabric: Fabric) -> None:
    """Commands may be repeated; what was written stays."""
    site = await fabric.with_pool()
    first = await site.create_volume(volume())
    await site.write("vol", 0, b"kept")
    assert await site.create_volume(volume()) == first
    assert await site.read("vol", 0, 4) == b"kept"


@pytest.mark.parametrize(
    "other",
    [
        volume(size_bytes=2 * MIB),
        attrs.evolve(volume(), block_bytes=512),
        attrs.evolve(volume(), log=True),
        attrs.evolve(volume(), path="/elsewhere/vol"),
        attrs.evolve(volume(), pool="Second"),
    ],
)
async def test_a_name_stands_for_one_volume(fabric: Fabric, other: SiteVolume) -> None:
    """With other facts it is another volume, and its name is taken."""
    site = await fabric.with_pool()
    await site.add_pool(fabric.pool("A", "Second"))
    await site.create_volume(volume())
    with pytest.raises(SrError, match="SR2007"):
        await site.create_volume(other)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (volume("../vol"), "SR0003"),
        (volume(".srshell-pool"), "SR0003"),
        (volume(""), "SR0003"),
        (volume("v" * 65), "SR0003"),
        (volume("k\u00f6ln"), "SR0003"),
        (volume(size_bytes=0), "SR2008"),
        (volume(size_bytes=-4096), "SR2008"),
        (volume(size_bytes=4097), "SR2008"),
        (attrs.evolve(volume(), block_bytes=1000), "SR0004"),
        (attrs.evolve(volume(), block_bytes=0), "SR0004"),
        (volume(size_bytes=2**62), "SR2005"),
        (volume(pool="Nowhere"), "SR1108"),
        (attrs.evolve(volume(pool=""), path="/nowhere/vol"), "SR1108"),
    ],
)
async def test_a_volume_that_makes_no_sense_is_refused(
    fabric: Fabric, wanted: SiteVolume, code: str
) -> None:
    """And nothing was made."""
    site = await fabric.with_pool()
    before = _label(fabric)
    with pytest.raises(SrError, match=code):
        await site.create_volume(wanted)
    assert _label(fabric) == before
    assert {path.name for path in (fabric.place / "PoolA").iterdir()} == {
        ".srshell-pool",
        ".srshell-pool.lock",
    }


async def test_the_pool_is_known_by_the_path_too(fabric: Fabric) -> None:
    """Whoever names the file need not name the pool."""
    site = await fabric.with_pool()
    path = str(fabric.place / "PoolA" / "vol")
    made = await site.create_volume(attrs.evolve(volume(pool=""), path=path))
    assert (made.pool, made.path) == ("PoolA", path)


async def test_a_file_that_is_not_ours_is_not_taken_over(fabric: Fabric) -> None:
    """It may be all that somebody has."""
    site = await fabric.with_pool()
    (fabric.place / "PoolA" / "vol").write_bytes(b"precious")
    with pytest.raises(SrError, match="SR2007"):
        await site.create_volume(volume())
    assert (fabric.place / "PoolA" / "vol").read_bytes() == b"precious"
    assert _label(fabric).volumes == ()


async def test_what_a_kill_left_half_made_is_completed_by_the_same_command(fabric: Fabric) -> None:
    """The label is written first, so the volume is known although its file is missing."""
    site = await fabric.with_pool()
    await site.close()
    half = _label(fabric).with_volume(LabelledVolume("vol", MIB, 4096, log=False))
    labels.write_record(fabric.place / "PoolA" / labels.LABEL_NAME, half)
    site = await fabric.open()
    assert [(p.noun, p.name) for p in (await site.describe()).problems] == [("volume", "vol")]
    await site.create_volume(volume())
    assert (await site.describe()).problems == ()
    assert await site.blank("vol")


async def test_an_existing_file_becomes_a_volume_with_its_data(fabric: Fabric) -> None:
    """A disk image, put into the pool by its owner."""
    site = await fabric.with_pool()
    (fabric.place / "PoolA" / "image").write_bytes(b"data".ljust(8192, b"\0"))
    wanted = SiteVolume("image", "", 0, 4096, log=False, pool="PoolA")
    taken = await site.attach_volume(wanted)
    assert taken.size_bytes == 8192
    assert await site.attach_volume(wanted) == taken
    assert await site.read("image", 0, 4) == b"data"
    assert not await site.blank("image")


@pytest.mark.parametrize(
    ("content", "size_bytes", "code"),
    [(8192, 4096, "SR2007"), (8192, 16384, "SR2007"), (5000, 0, "SR2008"), (0, 0, "SR2008")],
)
async def test_a_file_of_another_size_is_not_attached(
    fabric: Fabric, content: int, size_bytes: int, code: str
) -> None:
    """A volume is all of its file, and whole blocks."""
    site = await fabric.with_pool()
    (fabric.place / "PoolA" / "image").write_bytes(bytes(content))
    with pytest.raises(SrError, match=code):
        await site.attach_volume(SiteVolume("image", "", size_bytes, 4096, log=False, pool="PoolA"))
    assert (await site.describe()).volumes == ()


async def test_a_link_or_directory_is_no_volume(fabric: Fabric) -> None:
    """A link may lead anywhere."""
    site = await fabric.with_pool()
    pool = fabric.place / "PoolA"
    (fabric.place / "elsewhere").write_bytes(bytes(4096))
    (pool / "link").symlink_to(fabric.place / "elsewhere")
    (pool / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(SrError, match="SR9222"):
            await site.attach_volume(SiteVolume(name, "", 0, 4096, log=False, pool="PoolA"))


async def test_a_deleted_volume_leaves_nothing(fabric: Fabric) -> None:
    """Its name and its space are free again."""
    site = await fabric.with_pool()
    await site.create_volume(volume())
    await site.write("vol", 0, b"x")
    await site.delete_volume("vol")
    assert not (fabric.place / "PoolA" / "vol").exists()
    assert _label(fabric).volumes == ()
    with pytest.raises(SrError, match="SR0105"):
        await site.read("vol", 0, 1)
    await site.create_volume(volume())
    assert await site.blank("vol")


async def test_an_unknown_name_is_answered_with_the_nearest(fabric: Fabric) -> None:
    """Most unknown names are typing errors."""
    site = await fabric.with_volumes()
    with pytest.raises(SrError, match="SR0105") as caught:
        await site.write("volB", 0, b"x")
    assert "volA" in caught.value.facts


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, MIB + 1), (MIB, 1), (2**62, 2**10)])
async def test_calls_stay_inside_their_volume(fabric: Fabric, offset: int, length: int) -> None:
    """What lies beyond belongs to nobody."""
    site = await fabric.with_pool()
    await site.create_volume(volume())
    with pytest.raises(SrError, match="SR9223"):
        await site.read("vol", offset, length)
    with pytest.raises(SrError, match="SR9223"):
        await site.write("vol", offset, bytes(min(length, 2 * MIB)))
    with pytest.raises(SrError, match="SR9223"):
        await site.trim("vol", offset, length)


async def test_one_call_carries_at_most_32_mib(fabric: Fabric) -> None:
    """More would not fit a message between processes."""
    site = await fabric.with_pool()
    await site.create_volume(volume(size_bytes=64 * MIB))
    with pytest.raises(SrError, match="SR9223"):
        await site.read("vol", 0, 32 * MIB + 1)


async def test_a_write_is_durable_when_it_returns(fabric: Fabric) -> None:
    """Ack mode strict holds for a volume in no group too."""
    disk = SyncDisk()
    site = await fabric.with_pool(raw=disk)
    await site.create_volume(volume())
    for count in (1, 2):
        await site.write("vol", 0, b"x" * 4096)
        assert disk.syncs == count
    await site.flush("vol")
    assert disk.syncs == 2
    await site.trim("vol", 0, 4096)
    assert disk.syncs == 3
    assert await site.read("vol", 0, 4096) == bytes(4096)


async def test_writes_that_meet_share_a_sync(fabric: Fabric) -> None:
    """One at a time, a disk would sync a few hundred times a second."""
    disk = SyncDisk()
    site = await fabric.with_pool(raw=disk)
    await site.create_volume(volume())
    await site.write("vol", 0, b"first")
    blocks = [bytes([number]) * 4096 for number in range(64)]
    await asyncio.gather(*(site.write("vol", n * 4096, data) for n, data in enumerate(blocks)))
    assert disk.syncs <= 3
    assert await site.read("vol", 0, 64 * 4096) == b"".join(blocks)


async def test_the_later_of_two_writes_to_one_place_stays(fabric: Fabric) -> None:
    """In the order in which they came, also within one batch."""
    site = await fabric.with_pool()
    await site.create_volume(volume())
    await asyncio.gather(*(site.write("vol", 0, bytes([n]) * 512) for n in range(50)))
    assert await site.read("vol", 0, 512) == bytes([49]) * 512


async def test_a_failed_write_ends_in_a_coded_error_and_no_later_one_is_believed(
    fabric: Fabric,
) -> None:
    """After a failed sync nobody knows what reached the disk (rule of the storage room)."""
    site = await fabric.with_pool(raw=SyncDisk(fails=True))
    await site.create_volume(volume())
    results = await asyncio.gather(
        *(site.write("vol", n * 4096, b"x") for n in range(8)), return_exceptions=True
    )
    assert {str(each)[:6] for each in results} == {"SR9220"}
    with pytest.raises(SrError, match="SR9220"):
        await site.write("vol", 0, b"x")


async def test_a_volume_changes_hands_only_while_nobody_uses_it(fabric: Fabric) -> None:
    """Calls under way end where they began; calls that come meanwhile go to the next backing."""
    site = await fabric.with_pool()
    await site.create_volume(volume())
    hosted = site._store.volume("vol")
    early = asyncio.create_task(site.write("vol", 0, b"early"))
    await asyncio.sleep(0)
    refusal = NoBacking(SrError.make("SR9224", volume="vol", reason="given away"))
    async with hosted.lent() as loan:
        assert early.done()
        late = asyncio.create_task(site.read("vol", 0, 5))
        await asyncio.sleep(0)
        assert (fabric.place / "PoolA" / "vol").read_bytes()[:5] == b"early"
        loan.backing = refusal
    with pytest.raises(SrError, match="SR9224"):
        await late
    await hosted.hand_over(None)
    assert await site.read("vol", 0, 5) == b"early"


@attrs.define(eq=False)
class _FutureBacking(NoBacking):
    """Answers a write when the test wants it."""

    done: asyncio.Future[None] = attrs.field(factory=asyncio.Future)

    def write(self, offset: int, data: Buffer) -> Awaitable[None]:  # type: ignore[override]
        return self.done


async def test_a_write_that_began_at_once_is_waited_for_too(fabric: Fabric) -> None:
    """Whoever handed it in may not even have begun to wait."""
    site = await fabric.with_pool()
    await site.create_volume(volume())
    hosted = site._store.volume("vol")
    backing = _FutureBacking(SrError.make("SR9224", volume="vol", reason="a test"))
    await hosted.hand_over(backing)
    write = hosted.write(0, b"x")
    taking = asyncio.create_task(hosted.hand_over(None))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not taking.done()
    backing.done.set_result(None)
    await taking
    await write
    assert await site.read("vol", 0, 1) == bytes(1)


async def test_a_file_that_was_changed_from_outside_is_a_problem(fabric: Fabric) -> None:
    """Only srshell changes what it manages; a rescan tells what else did."""
    site = await fabric.with_volumes()
    path: Path = fabric.place / "PoolA" / "volA"
    with path.open("r+b") as file:
        file.truncate(4096)
    report = await site.rescan()
    assert [(p.name, p.code) for p in report.problems] == [("volA", "SR5006")]
    with pytest.raises(SrError, match="SR9222"):
        await site.read("volA", 0, 1)
    with path.open("r+b") as file:
        file.truncate(8 * MIB)
    assert (await site.rescan()).problems == ()
    assert await site.read("volA", 0, 1) == b"\0"


async def test_a_closed_site_refuses_and_leaves_nothing_locked(fabric: Fabric) -> None:
    """Another process may take over at once."""
    site = await fabric.with_volumes()
    await site.write("volA", 0, b"x")
    await site.close()
    await site.close()
    for call in (site.read("volA", 0, 1), site.create_volume(volume()), site.rescan()):
        with pytest.raises(SrError, match="SR9301"):
            await call
    file = OsDisk().open(str(fabric.place / "PoolA" / "volA"))
    file.close()


async def test_a_directory_has_one_site(fabric: Fabric) -> None:
    """The second one is told who the first one is."""
    await fabric.open()
    with pytest.raises(SrError, match="SR9221") as caught:
        await Site.open(fabric.settings())
    assert "site A runs as process" in caught.value.facts


async def test_the_record_of_another_site_is_refused(fabric: Fabric) -> None:
    """Directories that were swapped must not swap their data."""
    site = await fabric.with_pool()
    await site.close()
    with pytest.raises(SrError, match="SR1104"):
        await Site.open(attrs.evolve(fabric.settings(), array="B"))
    with pytest.raises(SrError, match="SR1001"):
        await Site.open(attrs.evolve(fabric.settings(), fabric="e" * 32))
    await (await fabric.open()).describe()
