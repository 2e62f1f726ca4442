"""A catalogue made anew from what sites and pools know of themselves.

Always true:

(1) The damaged catalogue is kept under another name; nothing of the sites is changed.
(2) Names, pools and volumes come from the labels in the pools; groups and partnerships from the
    replicas, once their sites run; machines from their own files.
(3) The term of the new owner is higher than any that a site can have heard of: it is the time.

What only the catalogue knew is lost: old jobs and events, the profile, the classes of pools that
carry none in their label, and which group of a partnership was the source first: the primary is
taken for it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import attrs

from srshell.backends.native import SITES_DIRECTORY
from srshell.fabric.catalogue import Catalogue
from srshell.fabric.context import Context
from srshell.fabric.guests.config import read_definition
from srshell.fabric.place import FabricPlace
from srshell.fabric.writer import MachineFiles
from srshell.model.errors import SrError
from srshell.model.inventory import (
    Array,
    Classification,
    Group,
    Pair,
    Partnership,
    Pool,
    PoolKind,
    Provider,
    Site,
    Vm,
    Volume,
    VolumeKind,
)
from srshell.model.replica import ReplicaReport, ReplicaRole
from srshell.site import inspect, labels
from srshell.site.api import PoolSpec
from srshell.site.labels import LABEL_NAME, PoolLabel


def rebuild_catalogue(place: FabricPlace, pools: tuple[str, ...]) -> None:
    """Put the present catalogue aside and make one from the labels.

    Args:
        place: the fabric, whose lock is held.
        pools: places that hold pools, besides those that the sites remember.

    Raises:
        SrError: SR0105, there are no labels; SR1001, they belong to more than one fabric; SR1101,
            a label is damaged.
    """
    found = _find_labels(place, pools)
    if not found:
        facts = "no site of this fabric left a record; name its pools with --pool"
        mend = f"srshell --fabric {place.directory} serve --rebuild --pool DIR"
        raise SrError.make("SR0105", facts=facts, mend=mend, noun="label", name="of a pool")
    fabrics = {label.fabric for label in found}
    if len(fabrics) > 1:
        facts = f"labels name the fabrics {', '.join(sorted(fabrics))}"
        raise SrError.make("SR1001", facts=facts, array=found[0].array, fabric="DIR")
    _put_aside(place)
    catalogue = Catalogue.open(place.catalogue, found[0].fabric)
    try:
        with catalogue.transaction():
            catalogue.set_setting("owner_term", str(int(time.time())))
            for label in found:
                catalogue.put(*_objects(label))
    finally:
        catalogue.close()


def _find_labels(place: FabricPlace, pools: tuple[str, ...]) -> list[PoolLabel]:
    """The labels of all pools that can be found, each once."""
    found: dict[str, PoolLabel] = {}
    for directory in sorted((place.directory / SITES_DIRECTORY).glob("*")):
        record = labels.read_site(directory / "site.json")
        for known in record.pools if record else ():
            path = labels.label_path(Path(known.path), known.kind, known.name, directory)
            with suppress(OSError):
                label = labels.read_label(path)
                if label is not None:
                    found[label.path] = label
    for pool in pools:
        lies_at = Path(pool).resolve()
        label = labels.read_label(lies_at / LABEL_NAME)
        if label is not None:
            # Where it lies is what counts: a label that came from elsewhere may say anything.
            label = attrs.evolve(label, path=str(lies_at), kind=PoolKind.FILE)
            found.setdefault(label.path, label)
    return list(found.values())


def _put_aside(place: FabricPlace) -> None:
    """Give the present catalogue, with what belongs to it, another name."""
    number = int(time.time())
    for path in place.directory.glob(f"{place.catalogue.name}*"):
        if ".aside-" not in path.name:
            path.rename(path.with_name(f"{path.name}.aside-{number}"))


def _objects(label: PoolLabel) -> list[object]:
    """What a label says about its array, its pool and its volumes."""
    seen = inspect.look(label.path)
    pool = Pool(
        name=label.pool,
        array=label.array,
        kind=PoolKind(label.kind.value),
        path=label.path,
        size_bytes=seen.size_bytes,
        free_bytes=seen.free_bytes,
        block_bytes=seen.block_bytes,
        device=seen.device,
        managed=True,
        classification=label.classification or None,
        honours_flush=seen.honours_flush,
    )
    objects: list[object] = [
        Site(label.array, label.array),
        Provider(label.array, label.array),
        Array(label.array, label.array, label.array, cluster=label.array, fabric=label.fabric),
        pool,
    ]
    if label.classification:
        objects.append(Classification(label.classification))
    for volume in label.volumes:
        is_device = label.kind is PoolKind.VOLUME
        path = label.path if is_device else str(Path(label.path) / volume.name)
        kind = VolumeKind.LOG if volume.log else VolumeKind.DATA
        objects.append(
            Volume(
                volume.name, label.array, label.pool, kind, volume.size_bytes, volume.block_bytes,
                path,
            )
        )  # fmt: skip
    return objects


async def adopt(context: Context) -> None:
    """Take over what the sites of a rebuilt catalogue host: pools, groups, machines."""
    for pool in context.snapshot.pools:
        with suppress(SrError):
            spec = PoolSpec(pool.name, pool.path, pool.kind, context.identity)
            await context.site(pool.array).add_pool(spec)
    await context.fresh_view()
    seen = [context.sites.report(array) for array in context.array_names()]
    if any(report is not None and report.sandbox for report in seen):
        context.catalogue.set_setting("sandbox", "yes")
        context.sandbox = True
    reports = [replica for report in seen if report is not None for replica in report.replicas]
    for side in reports:
        known = context.catalogue.get(Partnership, side.partnership)
        if side.torn_down or known is not None:
            continue
        twin = next(
            (r for r in reports if r.partnership == side.partnership and r is not side), None
        )
        _adopt_partnership(context, side, twin)
    _adopt_machines(context)


def _adopt_partnership(context: Context, report: ReplicaReport, twin: ReplicaReport | None) -> None:
    """Write down a partnership that a site hosts."""
    sides = [report] if twin is None else [report, twin]
    primary = next((side for side in sides if side.role is ReplicaRole.PRIMARY), None)
    source = primary.group if primary else report.peer_group
    destination = report.peer_group if source == report.group else report.group
    objects: list[object] = []
    for side in sides:
        log = _volume_at(context, side.log_path)
        if context.snapshot.find_group(side.group) is None and log is not None:
            data = tuple(layout.name for layout in side.volumes)
            objects.append(
                Group(side.group, side.array, data, log.name, on_peer_loss=side.on_peer_loss)
            )
    if context.snapshot.pair_of(report.array) is None:
        first = primary.array if primary else report.peer_array
        second = report.peer_array if first == report.array else report.array
        objects.append(Pair(first, second, context.clock.unix()))
    refreshed = (report.array, report.peer_array) if report.started else ()
    objects.append(
        Partnership(
            report.partnership, source, destination, enabled_unix=context.clock.unix(),
            refreshed=refreshed,
        )
    )  # fmt: skip
    if twin is not None:
        context.put(*objects)


def _volume_at(context: Context, path: str) -> Volume | None:
    """The volume at a path."""
    return next((v for v in context.snapshot.volumes if v.path == path), None)


def _adopt_machines(context: Context) -> None:
    """Write down the machines that run."""
    for directory in sorted(context.place.machines.glob("*")):
        files = MachineFiles(directory)
        if not files.running_pid():
            continue
        said = read_definition(files)
        group = context.snapshot.group_of_volume(said["volume"])
        context.put(
            Vm(said["name"], said["volume"], group.name if group else "", said["array"],
               said.get("kind", "writer"), created_unix=context.clock.unix())
        )  # fmt: skip
