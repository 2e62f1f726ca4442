"""An ext4 file system goes through a split brain: both sides' files can be read afterwards.

Fabrics of real processes, resolved each way.  The winner's files are on both sides; the loser's are
in its branch, which mounts as it was, whatever is written later.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import attrs
import pytest

from srshell.fabric.launch import child_environment
from srshell.model.branch import BRANCH_FOLDER
from srshell.model.errors import SrError
from srshell.model.report import BranchRow
from srshell.model.states import ReplicationState
from tests import needs
from tests.interop.ext4_on_nbd import files, put
from tests.interop.nbd_tools import attempt, run
from tests.process.deadlines import until
from tests.process.fabric_pair import SIZE_BYTES, FabricPair, open_fabric_pair
from tests.process.scenes import Stage


@attrs.define
class Story:
    """A fabric, and what its file system holds on each side."""

    pair: FabricPair
    folder: Path
    shared: dict[str, bytes] = attrs.field(factory=dict)
    dice: random.Random = attrs.field(factory=lambda: random.Random(6))

    async def uri(self, array: str) -> str:
        """Where the volume of a side is served."""
        return str((await self.pair.client.nbd(f"vol{array}")).uri)

    async def write(self, array: str, name: str, size_bytes: int = 0) -> dict[str, bytes]:
        """Write a file on the side of an array; return what only that side has then."""
        content = self.dice.randbytes(size_bytes or self.dice.randint(1, 200_000))
        await put(self.folder, await self.uri(array), name, content)
        return {name: content}

    async def image(self, uri: str) -> dict[str, bytes]:
        """Copy an export out; return its files, once e2fsck has found nothing."""
        copy = self.folder / "copy"
        await run("nbdcopy", uri, copy)
        try:
            return await files(copy)
        finally:
            copy.unlink()


async def begin(story: Story) -> None:
    """Put a file system onto the volume."""
    image = story.folder / "image"
    await asyncio.to_thread(image.write_bytes, bytes(SIZE_BYTES))
    await run("mke2fs", "-q", "-t", "ext4", image)
    await run("nbdcopy", image, await story.uri("A"))
    story.shared |= await story.write("A", "common")


async def split(story: Story) -> dict[str, dict[str, bytes]]:
    """Let both sides write alone, and meet again; return what only each has."""
    pair = story.pair
    old = await pair.in_sync()
    new = pair.other(old)
    await pair.client.fault("link", "down", seconds=120)
    count = len(story.shared)
    only = {old: await story.write(old, f"only-{old}-{count}")}
    await pair.take_down(old)
    await pair.client.failover(
        f"group{new}", "unplanned", confirm=f"group{new}", accept_loss="unknown"
    )
    only[new] = await story.write(new, f"only-{new}-{count}")
    only[new] |= await story.write(new, f"more-{count}")
    await pair.client.fault("link", "down", new, seconds=0)
    await pair.bring_back(old)
    await both_know(story)
    return only


async def both_know(story: Story) -> None:
    """Wait until both sides say that they are split, and what each has."""
    pair = story.pair

    async def seen() -> bool:
        rows = (await pair.client.status()).groups
        known = all(len(row.split) == len(pair.arrays) for row in rows)
        return known and {row.replication_state for row in rows} == {ReplicationState.SPLIT_BRAIN}

    await until(seen, "both sides know both deltas")


async def check_deltas(story: Story) -> None:
    """Both sides tell the same of both, and it is no less than what was written."""
    rows = (await story.pair.client.status()).groups
    by_row = [{side.array: side for side in row.split} for row in rows]
    assert by_row[0].keys() == by_row[1].keys() == set(story.pair.arrays)
    for array in story.pair.arrays:
        one, other = by_row[0][array], by_row[1][array]
        assert (one.blocks, one.from_lsn, one.to_lsn) == (
            other.blocks,
            other.from_lsn,
            other.to_lsn,
        )
        assert one.blocks > 0
        assert one.bytes == one.blocks * 4096
        assert one.first_write_unix is not None
        assert one.last_write_unix is not None
        assert one.first_write_unix <= one.last_write_unix
        # Over the wire a time has milliseconds.
        assert other.first_write_unix == pytest.approx(one.first_write_unix, abs=0.002)


async def resolve(story: Story, keep: str, only: dict[str, dict[str, bytes]]) -> BranchRow:
    """Keep one side; the winner is on both sides then, the loser in its branch."""
    pair, lose = story.pair, story.pair.other(keep)
    resolved = await pair.client.resolve(f"group{keep}", keep=keep, confirm=lose)
    assert await pair.in_sync() == keep
    branch = (await pair.client.branch(resolved.branch)).branch
    assert (branch.array, branch.kept, branch.size_bytes) == (lose, keep, SIZE_BYTES)
    assert await read_branch(story, branch.name) == story.shared | only[lose]
    story.shared |= only[keep]
    assert await story.image(await story.uri(keep)) == story.shared
    story.shared |= await story.write(keep, "after")
    await equal(story)
    return (await pair.client.branch(branch.name)).branch


async def equal(story: Story) -> None:
    """Wait until both sides have applied everything, and compare their files."""
    pair = story.pair
    await pair.in_sync()

    async def applied() -> bool:
        reports = [await pair.report(array) for array in pair.arrays]
        ends = {(r.last_lsn, r.durable_lsn, r.applied_lsn) for r in reports if r is not None}
        return None not in reports and len(ends) == 1 and len(set(ends.pop())) == 1

    await until(applied, "both sides have applied everything")
    paths = [pair.folder / array / f"vol{array}" for array in pair.arrays]
    one, other = [await asyncio.to_thread(path.read_bytes) for path in paths]
    assert one == other


async def read_branch(story: Story, name: str) -> dict[str, bytes]:
    """Export a branch, and copy it out; it cannot be written."""
    export = await story.pair.client.export_branch(name)
    document = json.loads(await run("nbdinfo", "--json", export.uri))
    assert document["exports"][0]["is_read_only"] is True
    assert (await attempt("qemu-io", "-f", "raw", "-c", "write 0 4k", export.uri)).code
    return await story.image(export.uri)


async def rebuild(story: Story) -> None:
    """Let an owner make its catalogue anew, from what pools and sites know."""
    pair = story.pair
    command = [sys.executable, "-m", "srshell", "--fabric", str(pair.place.directory)]
    process = await asyncio.create_subprocess_exec(
        *command, "serve", "--rebuild", "--detached", env=child_environment()
    )
    await process.wait()


async def the_new_one_is_kept(folder: Path) -> None:
    """Sites, owner and catalogue come and go: the branch is there, and served as before."""
    async with open_fabric_pair(folder) as pair:
        story = Story(pair, folder)
        await begin(story)
        only = await split(story)
        await check_deltas(story)
        expected = story.shared | only["A"]
        branch = await resolve(story, "B", only)
        await pair.kill(pair.owner(), pair.site("A"))
        pair.place.catalogue.unlink()
        await rebuild(story)
        await pair.in_sync()
        (again,) = (await pair.client.branches("groupA")).branches
        assert (again.name, again.exports) == (branch.name, branch.exports)
        assert await story.image(again.exports[0].uri) == expected


async def the_old_one_is_kept(folder: Path) -> None:
    """The branch outlives later writes, and ends by its name alone."""
    async with open_fabric_pair(folder) as pair:
        story = Story(pair, folder)
        await begin(story)
        only = await split(story)
        expected = story.shared | only["B"]
        branch = await resolve(story, "A", only)
        uri = branch.exports[0].uri
        assert await story.image(uri) == expected
        await pair.client.export_branch(branch.name, on=False)
        assert (await attempt("nbdinfo", uri)).code
        await pair.client.remove_branch(branch.name, confirm=branch.name)
        assert (await pair.client.branches()).branches == ()
        assert not await asyncio.to_thread(Path(branch.volumes[0].path).exists)


async def the_loser_dies_while_it_is_saved(folder: Path) -> None:
    """Killed in the middle of an image: nothing is decided, nothing is left, and it is repeated."""
    async with open_fabric_pair(folder) as pair:
        story = Story(pair, folder)
        await begin(story)
        story.shared |= await story.write("A", "bulk", 3_000_000)
        only = await split(story)
        place = folder / "A" / BRANCH_FOLDER
        await pair.client.fault("disk", "slow", "A", seconds=60)
        resolving = asyncio.create_task(pair.client.resolve("groupA", keep="B", confirm="A"))

        async def saving() -> bool:
            assert not resolving.done(), resolving
            return bool(await asyncio.to_thread(lambda: list(place.glob("*.image"))))

        await until(saving, "an image is being written")
        await pair.kill(pair.site("A"))
        with pytest.raises(SrError):
            await resolving
        await both_know(story)
        assert (await pair.client.branches()).branches == ()
        assert not await asyncio.to_thread(lambda: list(place.iterdir()))
        await resolve(story, "B", only)


SCENES = {
    "keep the new one": the_new_one_is_kept,
    "keep the old one": the_old_one_is_kept,
    "the loser dies": the_loser_dies_while_it_is_saved,
}


@needs.fuse()
@needs.tools("nbdfuse", "nbdcopy", "nbdinfo", "qemu-io", "mke2fs", "debugfs", "e2fsck")
def test_both_sides_of_a_split_brain_can_be_read_afterwards(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Resolved each way, side by side: most of the time is waiting for the peer timeout."""
    with Stage(SCENES, tmp_path_factory.mktemp("b")) as stage:
        for name in SCENES:
            stage.outcome(name)
