"""Volumes are rebuilt from a log as they were after every LSN, and after no other."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import attrs
import pytest

from srshell.engine.prefixes import Prefixes
from srshell.model.errors import SrError
from srshell.site.host import Site
from tests.unit.site.hosting import MIB, PARTNERSHIP, QUICK, Fabric, reported

BLOCK = 4096
VOLUME_BYTES = 8 * MIB


async def quiet(site: Site) -> None:
    """Wait until all that was logged is in the volumes, durably."""
    await reported(site, lambda r: r.checkpoint_lsn == r.applied_lsn == r.durable_lsn)


def copy(fabric: Fabric, name: str, array: str = "B") -> dict[str, Path]:
    """Copy volume and log of a side."""
    folder = fabric.place / name
    folder.mkdir()
    names = (f"vol{array}", f"log{array}")
    for each in names:
        shutil.copy(fabric.place / f"Pool{array}" / each, folder / each)
    return {each: folder / each for each in names}


@attrs.frozen
class Story:
    """Copies of both sides, and what their volumes held after each LSN since."""

    bases: dict[str, dict[str, Path]]
    held: dict[int, bytes]


async def story(fabric: Fabric) -> Story:
    """Write, copy both sides, and write more."""
    # A link that is lost begins a segment of the log that neither superblock may list.
    fabric.limits = attrs.evolve(QUICK, peer_timeout_seconds=60.0)
    a, b = await fabric.in_sync()
    dice = random.Random(7)
    await a.write("volA", 0, dice.randbytes(64 * BLOCK))
    for site in (a, b):
        await quiet(site)
    bases = {array: copy(fabric, f"base{array}", array) for array in "AB"}
    content = bytearray(bases["A"]["volA"].read_bytes())
    lsn = (await a.replica(PARTNERSHIP)).last_lsn
    held = {lsn: bytes(content)}
    for _ in range(40):
        offset = dice.randrange(64) * BLOCK // 2
        data = dice.randbytes(dice.randint(1, 3 * BLOCK))
        if dice.random() < 0.2:
            await a.trim("volA", offset, len(data))
            data = bytes(len(data))
        else:
            await a.write("volA", offset, data)
        content[offset : offset + len(data)] = data
        lsn += 1
        held[lsn] = bytes(content)
    for site in (a, b):
        await quiet(site)
    return Story(bases, held)


async def rebuilt(
    fabric: Fabric, base: dict[str, Path], array: str = "B", **limits: int
) -> dict[int, bytes]:
    """Rebuild every prefix."""
    folder = fabric.place / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    log, images = fabric.place / f"Pool{array}" / f"log{array}", {}
    opened = await Prefixes.open(log, base, folder, since=base[f"log{array}"])
    try:
        async for prefix in opened.every(limits.pop("step", 1), **limits):
            images[prefix.lsn] = prefix.images[f"vol{array}"].read_bytes()
    finally:
        await opened.close()
    return images


async def test_every_prefix_is_what_the_volume_held(fabric: Fabric) -> None:
    """Writes that overlap, and trims; long after checkpoints have given the log space back."""
    told = await story(fabric)
    first, last = min(told.held), max(told.held)
    assert last - first == 40
    for array, base in told.bases.items():
        before = {name: path.read_bytes() for name, path in base.items()}
        images = await rebuilt(fabric, base, array)
        assert images == told.held
        assert images[last] == (fabric.place / f"Pool{array}" / f"vol{array}").read_bytes()
        assert {name: path.read_bytes() for name, path in base.items()} == before
    base = told.bases["B"]
    images = await rebuilt(fabric, base, step=7)
    assert sorted(images) == [*range(first, last, 7), last]
    assert all(told.held[lsn] == image for lsn, image in images.items())
    part = await rebuilt(fabric, base, from_lsn=first + 10, to_lsn=first + 12)
    assert sorted(part) == [first + 10, first + 11, first + 12]


async def test_what_cannot_be_rebuilt_is_refused(fabric: Fabric) -> None:
    """An older copy of another log, a volume without an image, a log that was written over."""
    told = await story(fabric)
    base = told.bases["B"]
    with pytest.raises(SrError, match="SR9213"):
        await rebuilt(fabric, {"volB": base["volB"], "logB": told.bases["A"]["logA"]})
    with pytest.raises(SrError, match="SR0105"):
        await rebuilt(fabric, {"logB": base["logB"]})
    for _ in range(15):
        await fabric.sites["A"].write("volA", 0, bytes(MIB))
    await quiet(fabric.sites["B"])
    with pytest.raises(SrError, match="SR9213"):
        await rebuilt(fabric, base)
