"""Branches at a site: found from their descriptions alone, served read-only, taken away whole."""

from __future__ import annotations

import asyncio
import os
import struct
from pathlib import Path

import attrs
import pytest

from srshell.model.branch import BRANCH_FOLDER, Branch, BranchImage, encode_branch
from srshell.model.errors import SrError
from srshell.model.replica import Divergence, Epoch
from srshell.model.report import NbdExport
from srshell.site.host import Site
from tests.unit.site.hosting import MIB, PARTNERSHIP, Fabric

SIZE = 64 * 1024


def folder_of(fabric: Fabric) -> Path:
    """Where the branches of array A lie."""
    folder = fabric.place / "PoolA" / BRANCH_FOLDER
    folder.mkdir(exist_ok=True)
    return folder


def made(fabric: Fabric, name: str = "groupA.7", **changes: object) -> Branch:
    """Make a branch by hand, as a site of an earlier life would have left it."""
    folder = folder_of(fabric)
    image = BranchImage("volA", f"{name}.volA.image", SIZE, 4096, diverged_bytes=4096)
    branch = Branch(
        name=name,
        group="groupA",
        array="A",
        partnership=PARTNERSHIP,
        kept="B",
        epoch=Epoch(2, 3, "a" * 32),
        saved_unix=100.0,
        expires_unix=5e9,
        divergence=Divergence(3, 7, 1, 4096),
        images=(image,),
    )
    branch = attrs.evolve(branch, **changes)  # type: ignore[arg-type]
    (folder / f"{name}.branch.json").write_bytes(encode_branch(branch))
    (folder / image.file).write_bytes(os.urandom(SIZE))
    return branch


async def names(site: Site) -> list[str]:
    return [found.branch.name for found in (await site.branches()).branches]


async def opened(export: NbdExport) -> asyncio.StreamWriter:
    """Connect as an NBD client does, and choose the export; its size is answered."""
    socket = export.uri.partition("socket=")[2]
    reader, writer = await asyncio.open_unix_connection(socket)
    await reader.readexactly(18)
    name = export.volume.encode()
    writer.write(struct.pack(">I8sII", 1, b"IHAVEOPT", 1, len(name)) + name)
    size_bytes, flags = struct.unpack(">QH", await reader.readexactly(10))
    assert size_bytes == SIZE
    assert flags & 2, "it is not read-only"
    return writer


async def test_branches_are_found_by_a_site_that_starts(fabric: Fabric) -> None:
    """The oldest first; the array may have had another name when one was saved."""
    await fabric.with_volumes("A")
    made(fabric, "groupA.9", saved_unix=200.0)
    made(fabric, "groupA.7", array="SAN7")
    a = await fabric.reopen("A")
    assert await names(a) == ["groupA.7", "groupA.9"]
    (first, _) = (await a.branches()).branches
    assert first.branch.array == "A"
    assert first.directory == str(folder_of(fabric))
    assert first.used_bytes >= SIZE
    with pytest.raises(SrError, match="SR0105"):
        await a.export_branch("groupA.8")


async def test_what_was_cut_short_is_swept_away_at_the_start(fabric: Fabric) -> None:
    """Images and a description that was not renamed yet; what a description names stays."""
    await fabric.with_volumes("A")
    branch = made(fabric)
    folder = folder_of(fabric)
    for name in ("groupA.8.volA.image", "groupA.8.branch.json.new", "note.txt"):
        (folder / name).write_text("half")
    await fabric.reopen("A")
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["groupA.7.branch.json", branch.images[0].file, "note.txt"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "SR6027"),
        (b"{}", "SR6027"),
        (b'{"schema": "srshell.pool/1"}', "SR6027"),
        (b'{"schema": "srshell.branch-description/1"}', "SR6027"),
        (b'{"schema": "srshell.branch-description/2"}', "SR9212"),
    ],
)
async def test_a_description_that_cannot_be_read_is_told_and_nothing_is_swept(
    fabric: Fabric, data: bytes, code: str
) -> None:
    """Its images may be all that is left of somebody's writes."""
    a = await fabric.with_volumes("A")
    folder = folder_of(fabric)
    made(fabric)
    (folder / "groupA.8.branch.json").write_bytes(data)
    (folder / "groupA.8.volA.image").write_bytes(b"precious")
    a = await fabric.reopen("A")
    found = await a.branches()
    assert await names(a) == ["groupA.7"]
    assert [text.split()[0] for text in found.damaged] == [code]
    assert (folder / "groupA.8.volA.image").exists()


@pytest.mark.parametrize("file", ["../volA", "/etc/passwd", "", "..", "a/b"])
async def test_a_description_cannot_name_files_elsewhere(fabric: Fabric, file: str) -> None:
    """It is read from a disk that somebody else may have written."""
    a = await fabric.with_volumes("A")
    image = BranchImage("volA", file, SIZE, 4096)
    made(fabric, images=(image,))
    assert await names(a) == []
    assert len((await a.branches()).damaged) == 1


async def test_a_description_under_another_name_or_behind_a_link_is_none(fabric: Fabric) -> None:
    """A copy of a description is no second branch."""
    a = await fabric.with_volumes("A")
    made(fabric)
    folder = folder_of(fabric)
    (folder / "copy.branch.json").write_bytes((folder / "groupA.7.branch.json").read_bytes())
    (folder / "link.branch.json").symlink_to(folder / "groupA.7.branch.json")
    assert await names(a) == ["groupA.7"]
    assert len((await a.branches()).damaged) == 2


async def test_a_branch_is_served_again_after_a_restart(fabric: Fabric) -> None:
    """Read-only, under a name that no volume can have, until it is taken away."""
    a = await fabric.with_volumes("A")
    branch = made(fabric)
    (export,) = await a.export_branch(branch.name)
    assert (export.read_only, export.volume) == (True, "volA@groupA.7")
    assert (await a.export_branch(branch.name)) == (export,)
    a = await fabric.reopen("A")
    assert (await a.branches()).branches[0].exports == (export,)
    client = await opened(export)
    with pytest.raises(SrError, match="SR6028"):
        await a.remove_branch(branch.name)
    assert await names(a) == [branch.name]
    client.close()
    assert (await a.describe()).exports == ("volA@groupA.7",)
    await a.unexport_branch(branch.name)
    assert (await a.branches()).branches[0].exports == ()
    assert (await a.describe()).exports == ()
    a = await fabric.reopen("A")
    assert (await a.branches()).branches[0].exports == ()


async def test_an_image_that_is_missing_or_cut_is_not_served(fabric: Fabric) -> None:
    """Nor does it keep the site from starting."""
    a = await fabric.with_volumes("A")
    branch = made(fabric)
    await a.export_branch(branch.name)
    image = folder_of(fabric) / branch.images[0].file
    await a.close()
    image.write_bytes(b"short")
    a = await fabric.open("A")
    with pytest.raises(SrError, match="SR6027"):
        await a.export_branch(branch.name)
    image.unlink()
    with pytest.raises(SrError, match="SR6027"):
        await a.export_branch(branch.name)
    await a.remove_branch(branch.name)
    assert await names(a) == []


async def test_a_branch_is_kept_and_removed(fabric: Fabric) -> None:
    """The day is durable; the clock of the site has a say in what is old."""
    a = await fabric.with_volumes("A")
    branch = made(fabric)
    assert (await a.keep_branch(branch.name, 6e9)).branch.expires_unix == 6e9
    a = await fabric.reopen("A")
    assert (await a.branches()).branches[0].branch.expires_unix == 6e9
    await a.remove_branch(branch.name, expired=True)
    assert await names(a) == ["groupA.7"]
    await a.keep_branch(branch.name, 1.0)
    await a.export_branch(branch.name)
    await a.remove_branch(branch.name, expired=True)
    assert await names(a) == []
    assert list(folder_of(fabric).iterdir()) == []
    assert (await a.describe()).exports == ()
    (event,) = [each for each in await a.events(0, 0) if each.kind == "branch"]
    assert "groupA.7 was removed" in event.text


async def test_an_ended_site_answers_for_no_branch(fabric: Fabric) -> None:
    a = await fabric.with_volumes("A")
    made(fabric)
    await a.close()
    with pytest.raises(SrError, match="SR9301"):
        await a.branches()


async def test_a_folder_that_is_no_folder_is_refused(fabric: Fabric) -> None:
    """Nothing is saved through a link, or over a file."""
    a = await fabric.with_volumes("A")
    b = await fabric.with_volumes("B")
    await a.create_replica(fabric.spec("A", "B"))
    (fabric.place / "PoolA" / BRANCH_FOLDER).write_bytes(bytes(MIB))
    with pytest.raises(SrError, match="SR9220"):
        await a.give_up(PARTNERSHIP, 60.0)
    assert await names(a) == []
    assert await names(b) == []


async def test_a_pool_with_a_branch_is_not_given_back(fabric: Fabric) -> None:
    """Nobody would find the branch again."""
    a = await fabric.with_pool("A")
    made(fabric)
    with pytest.raises(SrError, match="SR2014"):
        await a.remove_pool("PoolA")
    await a.remove_branch("groupA.7")
    await a.remove_pool("PoolA")
