"""A place never leads out of itself: links, labels and files that somebody planted.

The site is real, on real files.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from srshell.fabric.place import FabricPlace
from srshell.fabric.rebuild import _find_labels
from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.site import inspect, labels
from srshell.site.labels import LABEL_NAME, LabelledVolume, PoolLabel
from srshell.site.pools import LOCK_NAME
from srshell.storage import OsDisk, StorageError
from tests import needs
from tests.security.corpus import NAMES
from tests.unit.export import wire
from tests.unit.export.sockets import Client
from tests.unit.site.hosting import IDENTITY, MIB, Fabric, volume

_MINE: Final = b"mine " * 1000
NOBODY: Final = 65_534


@pytest.fixture
async def fabric() -> AsyncIterator[Fabric]:
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        made = Fabric(Path(name))
        yield made
        await made.close()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of ours that nothing here may touch."""
    path = tmp_path / "victim"
    path.write_bytes(_MINE)
    return path


def untouched(path: Path) -> bool:
    return path.read_bytes() == _MINE


@pytest.mark.parametrize("name", ["volA", "logA"])
async def test_a_volume_that_became_a_link_is_not_followed(
    fabric: Fabric, victim: Path, name: str
) -> None:
    """A site that starts again finds the link, and serves no such volume."""
    await fabric.with_volumes()
    await fabric.close()
    path = fabric.place / "PoolA" / name
    path.unlink()
    path.symlink_to(victim)
    site = await fabric.open()
    with pytest.raises((SrError, StorageError)):
        await site.write(name, 0, b"x" * 4096)
    assert untouched(victim)


async def test_a_new_volume_overwrites_nothing(fabric: Fabric, victim: Path) -> None:
    """Neither a file nor a link that lies in its place: it is made, or it is refused."""
    site = await fabric.with_pool()
    pool = fabric.place / "PoolA"
    (pool / "there").write_bytes(_MINE)
    (pool / "link").symlink_to(victim)
    (pool / "dangling").symlink_to(victim.with_name("nothing"))
    os.mkfifo(pool / "pipe")
    (pool / "folder").mkdir()
    for name in ("there", "link", "dangling", "pipe", "folder"):
        with pytest.raises((SrError, StorageError)):
            await site.create_volume(volume(name, pool="PoolA", size_bytes=MIB))
    assert untouched(victim)
    assert untouched(pool / "there")
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]


@pytest.mark.parametrize("name", [LABEL_NAME, f"{LABEL_NAME}.new", LOCK_NAME])
async def test_the_files_of_a_pool_are_never_links(fabric: Fabric, victim: Path, name: str) -> None:
    """Who plants one wants another file to be written, or read as a label."""
    spec = fabric.pool()
    (fabric.place / "PoolA" / name).symlink_to(victim)
    site = await fabric.open()
    with pytest.raises((SrError, StorageError)):
        await site.add_pool(spec)
    assert untouched(victim)


@pytest.mark.parametrize("name", [".srshell-pool", ".srshell-pool.lock", ".srshell-pool.new"])
async def test_no_volume_takes_the_name_of_a_file_of_the_pool(fabric: Fabric, name: str) -> None:
    site = await fabric.with_pool()
    with pytest.raises(SrError):
        await site.create_volume(volume(name, pool="PoolA", size_bytes=MIB))


@pytest.mark.parametrize("wrong", NAMES)
@pytest.mark.parametrize("field", ["pool", "array", "volume"])
def test_a_label_names_nothing_but_names(tmp_path: Path, wrong: str, field: str) -> None:
    """A pool can come from another machine, on a disk that somebody else filled."""
    label = _label(tmp_path)
    if field == "volume":
        label["volumes"][0]["name"] = NAMES[wrong]
    else:
        label[field] = NAMES[wrong]
    _write(tmp_path, label)
    with pytest.raises(SrError, match="SR1101"):
        labels.read_label(tmp_path / LABEL_NAME)
    with pytest.raises(SrError, match="SR1101"):
        inspect.look(str(tmp_path))


@pytest.mark.parametrize("size", [0, -1, 2**63, 10**30, 1.5, None, "1M", True])
def test_a_label_holds_sizes_that_can_be(tmp_path: Path, size: object) -> None:
    label = _label(tmp_path)
    label["volumes"][0]["size_bytes"] = size
    _write(tmp_path, label)
    with pytest.raises(SrError, match="SR1101"):
        labels.read_label(tmp_path / LABEL_NAME)


@pytest.mark.parametrize("elsewhere", ["/etc", "/", "../..", "", "/proc/self/root"])
def test_a_label_does_not_say_where_its_pool_lies(tmp_path: Path, elsewhere: str) -> None:
    """`serve --rebuild` takes the place that it was told."""
    label = _label(tmp_path) | {"path": elsewhere, "kind": "volume"}
    _write(tmp_path, label)
    (found,) = _find_labels(FabricPlace(tmp_path / "fabric"), (str(tmp_path),))
    assert (found.path, found.kind) == (str(tmp_path), PoolKind.FILE)


@needs.root()
@pytest.mark.parametrize(
    ("mode", "owner", "group", "refused"),
    [
        (0o755, 0, 0, False),
        (0o775, 0, 0, False),
        (0o777, 0, 0, True),
        (0o1777, 0, 0, True),
        (0o775, 0, NOBODY, True),
        (0o700, NOBODY, 0, True),
    ],
)
async def test_a_pool_lies_where_nobody_else_can_write(
    fabric: Fabric, mode: int, owner: int, group: int, refused: bool
) -> None:
    """Whoever can put another file in place of a volume reads and writes what machines do."""
    spec = fabric.pool()
    pool = fabric.place / "PoolA"
    os.chown(pool, owner, group)
    pool.chmod(mode)
    site = await fabric.open()
    if not refused:
        await site.add_pool(spec)
        return
    with pytest.raises(SrError, match="SR1101"):
        await site.add_pool(spec)
    assert list(pool.iterdir()) == []


async def test_a_place_that_is_a_link_is_told_as_it_is(fabric: Fabric) -> None:
    """What is locked and labelled is the place behind it, under its own name."""
    spec = fabric.pool()
    (fabric.place / "link").symlink_to("PoolA")
    site = await fabric.open()
    usage = await site.add_pool(attrs.evolve(spec, path=str(fabric.place / "link")))
    assert usage.path == str(fabric.place / "PoolA")


@pytest.mark.parametrize("where", ["/dev/null", "/dev/zero", "/etc/passwd", "/proc/self/mem"])
async def test_a_place_that_is_no_place_is_refused(fabric: Fabric, where: str) -> None:
    """Devices that are no disks, files, the memory of a process."""
    site = await fabric.open()
    for kind in PoolKind:
        with pytest.raises(SrError):
            await site.add_pool(attrs.evolve(fabric.pool(), path=where, kind=kind))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
async def test_the_disk_opens_nothing_but_files_and_devices(
    tmp_path: Path, victim: Path, kind: str
) -> None:
    """O_NOFOLLOW on the last part of every path, and no waiting for the other end of a pipe."""
    path = tmp_path / "volume"
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises((StorageError, OSError)):
        OsDisk().open(str(path)).close()


async def test_an_export_has_no_other_name_than_its_own(fabric: Fabric) -> None:
    """An NBD client names a volume; it names no file, and hears so each time."""
    client = await Client.connect(await _exporting(fabric))
    assert await client.receive(18) == wire.GREETING
    client.send(wire.client_flags())
    for wrong, name in NAMES.items():
        encoded = name.encode(errors="surrogateescape")[:4000]
        if encoded:  # no name at all stands for the only export there is
            client.send(wire.option(wire.OPT_GO, wire.text(encoded) + b"\0\0"))
            kind = (await client.option_reply()).kind
            assert kind in {wire.ERR_UNKNOWN, wire.ERR_INVALID, wire.ERR_TOO_BIG}, wrong
    client.writer.close()


async def _exporting(fabric: Fabric) -> Path:
    """The NBD socket of a site with an exported volume and one that is not."""
    site = await fabric.with_volumes()
    await site.export("volA")
    return site.settings.nbd_socket


async def test_only_what_is_exported_can_be_chosen(fabric: Fabric) -> None:
    """The log is there, and a volume that nobody exported; neither can be reached or listed."""
    path = await _exporting(fabric)
    site = fabric.sites["A"]
    await site.create_volume(volume("hidden", pool="PoolA", size_bytes=MIB))
    with pytest.raises(SrError):
        await site.export("logA")
    client = await Client.connect(path)
    await client.receive(18)
    client.send(wire.client_flags() + wire.option(wire.OPT_LIST))
    assert (await client.option_reply()).data[4:] == b"volA"
    assert (await client.option_reply()).kind == wire.REP_ACK
    for name in ("hidden", "logA", "PoolA/volA", str(fabric.place / "PoolA" / "volA")):
        client.send(wire.go(name))
        assert (await client.option_reply()).kind == wire.ERR_UNKNOWN
    client.writer.close()


def _label(place: Path) -> dict[str, Any]:
    row = LabelledVolume("vol", MIB, 4096, log=False)
    label = PoolLabel(IDENTITY, "A", "PoolA", PoolKind.FILE, str(place), volumes=(row,))
    return {**attrs.asdict(label), "kind": "file", "schema": labels.LABEL_SCHEMA}


def _write(place: Path, label: dict[str, Any]) -> None:
    path = place / LABEL_NAME
    path.write_text(json.dumps(label))
    assert stat.S_ISREG(path.stat().st_mode)
