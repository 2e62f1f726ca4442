"""The catalogue of a fabric: names, groups, pairs, machines, jobs, the journal, in one SQLite file.

Always true:

(1) One catalogue object is used by one thread at a time; its owner holds the lock of the fabric.
(2) What `transaction` encloses is durable as a whole when it ends, or has not happened.
(3) Every row carries a checksum over its key and its object.  A file that is damaged, is no
    catalogue, or comes from a later version is refused with a code and left as it is.
(4) Roles, epochs and LSNs are not here: the superblocks of the sites hold them.

A new catalogue is made under another name and renamed when it is whole, so a file with the right
name that is empty or cut short is damage, never a beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

import apsw
import attrs
import msgspec

from srshell.fabric.catalogue_files import (
    check_whole,
    read_version,
    sqlite_failures,
    write_new,
)
from srshell.fabric.catalogue_rows import KINDS, Cell, row_crc, row_of
from srshell.fabric.catalogue_schema import MIGRATIONS
from srshell.fabric.snapshot import Snapshot
from srshell.model.errors import SrError
from srshell.model.inventory import (
    Array,
    Classification,
    Event,
    Group,
    Job,
    JobState,
    Operation,
    Pair,
    Partnership,
    Pool,
    Profile,
    Provider,
    Site,
    Vm,
    Volume,
)

ObjectT = TypeVar("ObjectT")
_BUSY_MILLISECONDS: Final = 5000


class Catalogue:
    """The open catalogue of a fabric."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, path: Path, fabric: str = "", migrations: tuple[str, ...] = MIGRATIONS) -> Self:
        """Open the catalogue, making it first when there is none.

        Args:
            path: the file.
            fabric: identity that a new catalogue gets; an existing one keeps its own.
            migrations: the steps from version to version.

        Raises:
            SrError: SR9201, the file is damaged or no catalogue; SR9202, a later version wrote
                it; SR9006, it cannot be read or written.
        """
        with sqlite_failures(path):
            if not path.exists():
                write_new(path, migrations, fabric, row_crc)
            version = read_version(path)
            if version > len(migrations):
                facts = f"{path} has version {version}, this program knows {len(migrations)}"
                raise SrError.make("SR9202", facts, fabric=str(path.parent))
            check_whole(path, migrations[:version])
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(_BUSY_MILLISECONDS)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        catalogue = cls(connection, path)
        try:
            catalogue._migrate(version, migrations)
            catalogue._check_rows()
        except BaseException:
            connection.close()
            raise
        return catalogue

    def in_memory(self) -> Catalogue:
        """A copy that nobody else sees, without jobs and events; what is done to it is lost."""
        with sqlite_failures(self._path):
            connection = apsw.Connection(":memory:")
            try:
                for step in MIGRATIONS:
                    connection.execute(step)
                for cls, kind in KINDS.items():
                    if cls not in {Job, Event}:
                        rows = self._connection.execute(kind.select).fetchall()
                        connection.executemany(kind.insert, rows)
                settings = self._connection.execute("SELECT key, payload, crc FROM settings")
                connection.executemany("INSERT INTO settings VALUES (?, ?, ?)", settings.fetchall())
            except BaseException:
                connection.close()
                raise
        return Catalogue(connection, self._path)

    def close(self) -> None:
        """Close the file; safe to repeat."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are made together, durably, or not at all.

        Raises:
            SrError: SR9220, the file could not be written; nothing of it was changed.
        """
        assert not self._connection.in_transaction, "transactions are not nested"
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
            raise

    # --- settings ---------------------------------------------------------------------------

    def setting(self, key: str, default: str = "") -> str:
        """A setting of the fabric."""
        with sqlite_failures(self._path):
            query = "SELECT key, payload, crc FROM settings WHERE key = ?"
            for row in self._connection.execute(query, (key,)):
                return self._checked("settings", row)
        return default

    def set_setting(self, key: str, value: str) -> None:
        """Store a setting of the fabric."""
        with sqlite_failures(self._path):
            self._connection.execute(
                "INSERT INTO settings (key, payload, crc) VALUES (?, ?, ?) ON CONFLICT (key) "
                "DO UPDATE SET payload = excluded.payload, crc = excluded.crc",
                (key, value, row_crc("settings", (key, value))),
            )

    @property
    def fabric(self) -> str:
        """The identity of the fabric."""
        return self.setting("fabric")

    @property
    def profile(self) -> Profile:
        """Which rules the fabric enforces."""
        return Profile(self.setting("profile", Profile.NATIVE.value))

    @property
    def copy_bytes_per_second(self) -> int:
        """What all copies out of a site may take together; 0: as much as they can."""
        return int(self.setting("copy_bytes_per_second", "0"))

    def set_copy_rate(self, bytes_per_second: int) -> None:
        """Store what all copies out of a site may take together."""
        self.set_setting("copy_bytes_per_second", str(bytes_per_second))

    def next_owner_term(self) -> int:
        """Begin the term of a new owner: durably higher than every earlier one."""
        with self.transaction():
            term = int(self.setting("owner_term", "0")) + 1
            self.set_setting("owner_term", str(term))
        return term

    # --- objects ----------------------------------------------------------------------------

    def put(self, *objects: object) -> None:
        """Store objects, new or changed."""
        with sqlite_failures(self._path):
            for item in objects:
                kind = KINDS[type(item)]
                row = row_of(kind, item)
                self._connection.execute(kind.insert, (*row, row_crc(kind.table, row)))

    def get(self, cls: type[ObjectT], *key: Cell) -> ObjectT | None:
        """The object of that class with that key, if there is one."""
        kind = KINDS[cls]
        names = " AND ".join(f"{name} = ?" for name in kind.columns[: kind.keys])
        return next(iter(self._read(cls, f"WHERE {names}", key)), None)

    def all(self, cls: type[ObjectT]) -> tuple[ObjectT, ...]:
        """All objects of that class, in the order of their keys."""
        kind = KINDS[cls]
        return tuple(self._read(cls, f"ORDER BY {', '.join(kind.columns[: kind.keys])}"))

    def remove(self, cls: type, *key: Cell) -> None:
        """Remove the object of that class with that key, if there is one."""
        with sqlite_failures(self._path):
            self._connection.execute(KINDS[cls].delete, key)

    def rename_array(self, old: str, new: str) -> None:
        """Give an array another name, wherever it is mentioned; part of a transaction."""
        placed: list[Provider | Site | Pool | Volume | Vm] = [
            *self.all(Provider),
            *self.all(Site),
            *self.all(Pool),
            *self.all(Volume),
            *self.all(Vm),
        ]
        for item in placed:
            if item.array == old:
                kind = KINDS[type(item)]
                self.remove(type(item), *row_of(kind, item)[: kind.keys])
                moved = attrs.evolve(item, array=new)
                if isinstance(moved, Provider) and moved.name == old:
                    moved = attrs.evolve(moved, name=new)
                self.put(moved)
        array = self.get(Array, old)
        if array is not None:
            provider = new if array.provider == old else array.provider
            self.remove(Array, old)
            self.put(attrs.evolve(array, name=new, provider=provider))

    def snapshot(self) -> Snapshot:
        """All objects that the rules look at, at one moment."""
        return Snapshot(
            fabric=self.fabric,
            profile=self.profile,
            providers=self.all(Provider),
            sites=self.all(Site),
            arrays=self.all(Array),
            pools=self.all(Pool),
            classifications=self.all(Classification),
            volumes=self.all(Volume),
            pairs=self.all(Pair),
            groups=self.all(Group),
            partnerships=self.all(Partnership),
            vms=self.all(Vm),
            copy_bytes_per_second=self.copy_bytes_per_second,
        )

    # --- jobs, journal, events --------------------------------------------------------------

    def new_job(self, command: str, target: str, unix: float) -> Job:
        """A queued job with the next number; numbers are never used again."""
        number = 1 + self._last_number("jobs")
        job = Job(number, command, target, JobState.QUEUED, began_unix=unix)
        self.put(job)
        return job

    def jobs(self, limit: int = 100) -> tuple[Job, ...]:
        """The last jobs, the newest first."""
        return tuple(self._read(Job, "ORDER BY id DESC LIMIT ?", (limit,)))

    def unfinished_operations(self) -> tuple[Operation, ...]:
        """Role changes that were begun and neither completed nor taken back."""
        return tuple(self._read(Operation, "WHERE finished = 0 ORDER BY id"))

    def append_event(
        self, unix: float, level: str, about: str, code: str, text: str, actor: str = ""
    ) -> Event:
        """Add an event to the journal; its number is higher than that of every earlier one."""
        event = Event(1 + self._last_number("events"), unix, level, about, code, text, actor)
        with sqlite_failures(self._path):
            kind = KINDS[Event]
            row = row_of(kind, event)
            self._connection.execute(
                "INSERT INTO events (id, unix, level, object, payload, crc) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*row, row_crc(kind.table, row)),
            )
        return event

    def events(
        self,
        after_id: int = 0,
        since_unix: float = 0.0,
        about: str | None = None,
        levels: tuple[str, ...] = (),
        limit: int = 1000,
    ) -> tuple[Event, ...]:
        """Events in the order of their numbers: of all that fit, the last ``limit``."""
        condition = "WHERE id > ? AND unix >= ?"
        values: list[Cell] = [after_id, since_unix]
        if about is not None:
            condition += " AND object = ?"
            values.append(about)
        if levels:
            condition += f" AND level IN ({', '.join('?' * len(levels))})"
            values.extend(levels)
        found = self._read(Event, f"{condition} ORDER BY id DESC LIMIT ?", (*values, limit))
        return tuple(reversed(list(found)))

    # --- inside -----------------------------------------------------------------------------

    def _execute(self, statement: str) -> None:
        """One statement without rows."""
        with sqlite_failures(self._path):
            self._connection.execute(statement)

    def _last_number(self, table: str) -> int:
        """The highest number that the table has ever given out."""
        with sqlite_failures(self._path):
            query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
            for (number,) in self._connection.execute(query, (table,)):
                assert isinstance(number, int)
                return number
        return 0

    def _read(
        self, cls: type[ObjectT], condition: str, values: tuple[Cell, ...] = ()
    ) -> Iterator[ObjectT]:
        """The objects that fit a condition, each checked and decoded."""
        kind = KINDS[cls]
        with sqlite_failures(self._path):
            rows = self._connection.execute(f"{kind.select} {condition}", values).fetchall()
        for row in rows:
            payload = self._checked(kind.table, row)
            try:
                yield msgspec.json.decode(payload, type=cls)
            except msgspec.MsgspecError as error:
                raise self._damaged(f"{kind.table}: {error}") from error

    def _checked(self, table: str, row: tuple[object, ...]) -> str:
        """The payload of a row whose checksum is right."""
        *cells, crc = row
        if row_crc(table, tuple(cells)) != crc:
            raise self._damaged(f"a row of {table} has a wrong checksum")
        return str(cells[-1])

    def _damaged(self, facts: str) -> SrError:
        return SrError.make("SR9201", facts, fabric=str(self._path.parent))

    def _check_rows(self) -> None:
        """Read every row once, so that damage is met here and not in the middle of a command."""
        queries = {kind.table: kind.select for kind in KINDS.values()}
        queries["settings"] = "SELECT key, payload, crc FROM settings"
        with sqlite_failures(self._path):
            for table, query in queries.items():
                for row in self._connection.execute(query):
                    self._checked(table, row)
            for table in ("jobs", "events"):
                last = self._connection.execute(f"SELECT max(id) FROM {table}").get  # noqa: S608
                if isinstance(last, int) and last > self._last_number(table):
                    raise self._damaged(f"the last number of {table} is wrong")
        if not self.fabric:
            raise self._damaged("the identity of the fabric is missing")

    def _migrate(self, version: int, migrations: tuple[str, ...]) -> None:
        """Bring an older catalogue to the present version, in one transaction."""
        if version == len(migrations):
            return
        with self.transaction():
            for step in migrations[version:]:
                self._execute(step)
            self._execute(f"PRAGMA user_version = {len(migrations)}")
