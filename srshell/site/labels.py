"""What a site writes down about itself: the label of each pool, and the list of its pools.

Always true:

(1) A record is replaced as a whole, durably: a reader finds the old one or the new one.
(2) A label alone is enough to know its pool again, with all volumes and what uses them: a lost
    catalogue is rebuilt from labels.
(3) A record of a later version is refused, never guessed at.
(4) A label that is read holds names and sizes, whoever wrote it: none leads out of its pool.

A directory carries its label as ``.srshell-pool``; a block device has no room beside its data, so
its label lies in the site's own directory.  Everything here blocks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, TypeVar

import attrs
import msgspec

from srshell.model.copying import CopyPlan
from srshell.model.errors import SrError
from srshell.model.geometry import SIZE_BYTES_MAX
from srshell.model.identity import is_name
from srshell.model.inventory import PoolKind

LABEL_NAME: Final = ".srshell-pool"
LABEL_SCHEMA: Final = "srshell.pool/1"
STATE_SCHEMA: Final = "srshell.site/1"

_RECORD_BYTES_MAX: Final = 16 * 1024 * 1024

T = TypeVar("T", "PoolLabel", "SiteRecord")


@attrs.frozen
class LabelledVolume:
    """A volume of a pool; a file of that name, or the block device that is the pool."""

    name: str
    size_bytes: int
    block_bytes: int
    log: bool
    partnership: str = ""  # what uses it; empty for nothing


@attrs.frozen
class PoolLabel:
    """Whose a pool is, and what is in it."""

    fabric: str
    array: str
    pool: str
    kind: PoolKind
    path: str
    classification: str = ""
    volumes: tuple[LabelledVolume, ...] = ()
    schema: str = LABEL_SCHEMA

    def with_volume(self, volume: LabelledVolume) -> PoolLabel:
        """Return the label with a volume added or replaced."""
        others = tuple(other for other in self.volumes if other.name != volume.name)
        return attrs.evolve(self, volumes=(*others, volume))

    def without_volume(self, name: str) -> PoolLabel:
        """Return the label without a volume."""
        return attrs.evolve(self, volumes=tuple(v for v in self.volumes if v.name != name))


@attrs.frozen
class KnownPool:
    """Where a site finds one of its pools again."""

    name: str
    path: str
    kind: PoolKind


@attrs.frozen
class SiteRecord:
    """What a site needs to serve again after a restart, beside the labels of its pools."""

    array: str
    fabric: str
    pools: tuple[KnownPool, ...] = ()
    exports: tuple[str, ...] = ()
    read_only_exports: tuple[str, ...] = ()  # those of them that take no writes
    departed: tuple[str, ...] = ()  # partnerships that were left here; their peers are told
    copy_plan: CopyPlan = attrs.field(factory=CopyPlan)
    schema: str = STATE_SCHEMA


def label_path(path: Path, kind: PoolKind, pool: str, site_directory: Path) -> Path:
    """Return where the label of a pool lies."""
    if kind is PoolKind.FILE:
        return path / LABEL_NAME
    return site_directory / f"{pool}{LABEL_NAME}"


def read_label(path: Path) -> PoolLabel | None:
    """Return the label at ``path``; None if there is none.

    Raises:
        SrError: SR1101, it is damaged; SR9212, a later version wrote it.
    """
    return _read(path, PoolLabel, LABEL_SCHEMA)


def read_site(path: Path) -> SiteRecord | None:
    """Return the record of a site; None if there is none.  Raises as `read_label` does."""
    return _read(path, SiteRecord, STATE_SCHEMA)


def write_record(path: Path, record: PoolLabel | SiteRecord) -> None:
    """Replace a record, durably.

    Raises:
        SrError: SR9220, it was not replaced.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(
            new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise _failed("write", path, error) from error


def remove_record(path: Path) -> None:
    """Remove a record, durably; one that is not there is fine."""
    try:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise _failed("remove", path, error) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, kind: type[T], schema: str) -> T | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_RECORD_BYTES_MAX)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return _decode(path, data, kind, schema)


def _decode(path: Path, data: bytes, kind: type[T], schema: str) -> T:
    try:
        found = msgspec.json.decode(data, type=_Versioned).schema
        if found == schema:
            record = msgspec.json.decode(data, type=kind)
            if isinstance(record, PoolLabel):
                _check_label(path, record)
            return record
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if found.rpartition("/")[0] == schema.rpartition("/")[0]:
        raise SrError.make("SR9212", facts=f"{found}, known is {schema}", file=str(path))
    raise _unreadable(path, f"schema {found!a}")


def _check_label(path: Path, label: PoolLabel) -> None:
    """Refuse a label that no site wrote: its names become files, and a pool can come from afar."""
    for text in (label.array, label.pool, *(volume.name for volume in label.volumes)):
        if not is_name(text):
            raise _unreadable(path, f"{text!a} is no name")
    for volume in label.volumes:
        whole = 0 < volume.size_bytes <= SIZE_BYTES_MAX and 0 < volume.block_bytes <= SIZE_BYTES_MAX
        if not whole:
            raise _unreadable(path, f"volume {volume.name} has an impossible size")


@attrs.frozen
class _Versioned:
    schema: str


def _unreadable(path: Path, reason: str) -> SrError:
    return SrError.make(
        "SR1101",
        facts=f"{path}: {reason}",
        pool=path.parent.name,
        array="?",
        where=str(path.parent),
    )


def _failed(operation: str, path: Path, error: OSError) -> SrError:
    facts = error.strerror or str(error)
    return SrError.make("SR9220", facts=facts, operation=operation, file=str(path))
