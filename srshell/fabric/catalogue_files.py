"""The catalogue as a file: making it whole, looking at it before it is opened, naming its failures.

Always true:

(1) A new catalogue appears under its name only when it is complete and durable.
(2) Looking at a catalogue does not write to it.
(3) No exception of SQLite leaves this room; each becomes a coded error that names the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from srshell.fabric.catalogue_schema import APPLICATION_ID
from srshell.model.errors import SrError

_MAGIC = b"SQLite format 3\x00"
_DAMAGED = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.FormatError,
    apsw.MismatchError,
    UnicodeDecodeError,
)
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"


@contextmanager
def sqlite_failures(path: Path) -> Iterator[None]:
    """Turn failures of SQLite and of the file into coded errors.

    Raises:
        SrError: SR9201 for damage, SR9005 when another process writes, SR9006 when the file cannot
            be opened, SR9220 for anything else.
    """
    fabric = str(path.parent)
    try:
        yield
    except _DAMAGED as error:
        raise SrError.make("SR9201", f"{path}: {error}", fabric=fabric) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise SrError.make("SR9005", f"{path}: {error}", fabric=fabric) from error
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError, OSError) as error:
        raise SrError.make("SR9006", f"{path}: {error}", fabric=fabric) from error
    except apsw.Error as error:
        facts = str(error)
        raise SrError.make("SR9220", facts, operation="writing", file=str(path)) from error


def read_version(path: Path) -> int:
    """The version of a catalogue; 1 and up.

    Raises:
        SrError: SR9201, it is no catalogue.
        apsw.Error: it cannot be read.
    """
    fabric = str(path.parent)
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head != _MAGIC:
        facts = f"{path} does not begin as a database ({path.stat().st_size} bytes)"
        raise SrError.make("SR9201", facts, fabric=fabric)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        owner = connection.pragma("application_id")
        version = int(connection.pragma("user_version"))
    finally:
        connection.close()
    if owner != APPLICATION_ID or version < 1:
        facts = f"{path} is another program's database"
        raise SrError.make("SR9201", facts, fabric=fabric)
    return version


def check_whole(path: Path, migrations: tuple[str, ...]) -> None:
    """Let SQLite look at every page, and compare the tables with those that ``migrations`` make.

    Raises:
        SrError: SR9201, something does not fit together.
        apsw.Error: it cannot be read.
    """
    fresh = apsw.Connection(":memory:")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        for step in migrations:
            fresh.execute(step)
        verdict = connection.pragma("integrity_check", 1)
        if connection.execute(_SCHEMA).fetchall() != fresh.execute(_SCHEMA).fetchall():
            verdict = "its tables are not those of its version"
        elif _is_cut(path, connection.pragma("page_size")):
            verdict = "its last page is cut short"
    except apsw.SQLError as error:
        verdict = str(error)
    finally:
        connection.close()
        fresh.close()
    if verdict != "ok":
        raise SrError.make("SR9201", f"{path}: {verdict}", fabric=str(path.parent))


def _is_cut(path: Path, page_bytes: int) -> bool:
    """Tell whether the file ends inside a page, and no write-ahead log holds that page."""
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    return not has_log and path.stat().st_size % page_bytes != 0


def write_new(
    path: Path,
    migrations: tuple[str, ...],
    fabric: str,
    row_crc: Callable[[str, tuple[object, ...]], int],
) -> None:
    """Make an empty catalogue beside its place, then put it there by one rename.

    Raises:
        apsw.Error, OSError: it could not be made; nothing is left under its name.
    """
    assert fabric, "a new catalogue needs the identity of its fabric"
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    connection = apsw.Connection(str(beside))
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for step in migrations:
            connection.execute(step)
        row = ("fabric", fabric)
        connection.execute(
            "INSERT INTO settings (key, payload, crc) VALUES (?, ?, ?)",
            (*row, row_crc("settings", row)),
        )
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    finally:
        connection.close()
    beside.rename(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
