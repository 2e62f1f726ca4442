"""What is checked before a volume is made or taken, and what is said when it does not fit.

Always true: a check changes nothing.  What looks at files blocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

from srshell.model.errors import SrError
from srshell.model.geometry import format_bytes, is_aligned, round_up
from srshell.model.identity import check_name
from srshell.model.inventory import PoolKind
from srshell.site import inspect
from srshell.site.api import SiteVolume
from srshell.site.labels import LabelledVolume
from srshell.site.pools import Pool
from srshell.site.volumes import HostedVolume

_BLOCK_BYTES_MIN: Final = 512


def checked_facts(wanted: SiteVolume, pool: Pool) -> LabelledVolume:
    """Return the facts of a new volume, which make sense in its pool.

    Raises:
        SrError: SR0003, SR0004 (block size), SR2007 (another path), SR2008.
    """
    name = check_name(wanted.name, "volume")
    path = pool.volume_path(name)
    if wanted.path not in {"", path}:
        raise differs(wanted, pool, f"in this pool it lies at {path}")
    block_bytes = wanted.block_bytes
    if block_bytes < _BLOCK_BYTES_MIN or block_bytes & (block_bytes - 1):
        facts = f"{block_bytes} is no block size: possible are powers of two from 512 on"
        raise SrError.make("SR0004", facts=facts, text=str(block_bytes))
    if wanted.size_bytes <= 0 or not is_aligned(wanted.size_bytes, block_bytes):
        raise SrError.make(
            "SR2008",
            facts=f"block size {block_bytes}",
            size=f"{wanted.size_bytes} bytes",
            rounded=round_up(max(wanted.size_bytes, 1), block_bytes),
            name=name,
            array=pool.label.array,
            pool=pool.name,
        )
    return LabelledVolume(name, wanted.size_bytes, block_bytes, wanted.log)


def size_of(path: str, pool: Pool) -> int:
    """Return the size of what is there for a volume, in bytes.

    Raises:
        SrError: SR1103, there is nothing; SR9222, it is of another kind than its pool.
    """
    candidate = inspect.look(path)
    right = PoolKind.VOLUME if pool.label.kind is PoolKind.VOLUME else None
    if Path(path).is_symlink() or candidate.kind is not right:
        facts = f"{path} is of another kind than its pool"
        raise SrError.make("SR9222", facts=facts, file=path)
    return candidate.size_bytes


def backing_of(path: str) -> str:
    """Return what a path leads to, as device:inode; raises SR9222."""
    try:
        return inspect.backing_of(Path(path))
    except OSError as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR9222", facts=facts, file=path) from error


def check_device(pool: Pool, facts: LabelledVolume) -> None:
    """Refuse a block device that is taken, too small, or holds somebody's data.

    Raises:
        SrError: SR2005, SR4002.
    """
    path = pool.path
    size_bytes = inspect.device_bytes(path)
    if pool.label.volumes and pool.label.volumes[0].name != facts.name:
        raise no_space(pool, facts.size_bytes, 0)
    if facts.size_bytes > size_bytes:
        raise no_space(pool, facts.size_bytes, size_bytes)
    if not inspect.edges_are_zero(path):
        text = f"{path} holds data: attach it with its data, or clear it first"
        raise SrError.make("SR4002", facts=text, volume=facts.name)


def differs(wanted: SiteVolume, pool: Pool, facts: str) -> SrError:
    """Return the error for a name that stands for another volume already."""
    return SrError.make(
        "SR2007",
        facts=facts,
        name=wanted.name,
        free_name=f"{wanted.name}-2",
        array=pool.label.array,
        pool=pool.name,
        size_bytes=wanted.size_bytes,
    )


def no_space(pool: Pool, needed_bytes: int, free_bytes: int) -> SrError:
    """Return the error for a volume that does not fit."""
    sizes = (needed_bytes, free_bytes, needed_bytes - free_bytes)
    needed, free, missing = map(format_bytes, sizes)
    facts = f"{needed} needed, {free} free, {missing} missing"
    return SrError.make("SR2005", facts=facts, array=pool.label.array, pool=pool.name)


def shrunk(volume: HostedVolume, size_bytes: int) -> SrError:
    """Return the error for a file that is smaller than its volume."""
    facts = f"{volume.path} has {size_bytes} of {volume.facts.size_bytes} bytes"
    what = f"volume {volume.name}"
    return SrError.make("SR5006", facts=facts, what=what, array=volume.pool.label.array)


def as_volume(pool: Pool, facts: LabelledVolume) -> SiteVolume:
    """Return the facts as they are told to others."""
    return attrs.evolve(
        SiteVolume(facts.name, "", facts.size_bytes, facts.block_bytes, facts.log),
        path=pool.volume_path(facts.name),
        pool=pool.name,
        partnership=facts.partnership,
    )
