"""The tables of the catalogue, as numbered steps from one version to the next.

Always true:

(1) ``MIGRATIONS[n]`` leads from version n to version n + 1; a step that was released never changes.
(2) Every row holds its object as JSON in ``payload``, columns to find it by, and in ``crc`` the
    checksum of all of them, so that a flipped bit is noticed wherever it is.
"""

from __future__ import annotations

from typing import Final

#: Marks the file as a catalogue of ours: "SRCT".
APPLICATION_ID: Final = 0x53524354

_VERSION_1: Final = """
CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY, payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE providers (
    name TEXT NOT NULL PRIMARY KEY, array TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sites (
    array TEXT NOT NULL PRIMARY KEY, desired TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE arrays (
    name TEXT NOT NULL PRIMARY KEY, site TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pools (
    array TEXT NOT NULL, name TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (array, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE classifications (
    name TEXT NOT NULL PRIMARY KEY, payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE volumes (
    name TEXT NOT NULL PRIMARY KEY, array TEXT NOT NULL, pool TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pairs (
    array TEXT NOT NULL PRIMARY KEY, peer TEXT NOT NULL UNIQUE,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
    name TEXT NOT NULL PRIMARY KEY, array TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE partnerships (
    partnership TEXT NOT NULL PRIMARY KEY, source TEXT NOT NULL, destination TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE vms (
    name TEXT NOT NULL PRIMARY KEY, volume TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT;

CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY, partnership TEXT NOT NULL, finished INTEGER NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE INDEX operations_unfinished ON operations (partnership) WHERE finished = 0;

CREATE TABLE events (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    unix REAL NOT NULL, level TEXT NOT NULL, object TEXT NOT NULL,
    payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_object ON events (object, id);
CREATE TRIGGER events_are_final BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""

_VERSION_2: Final = """
CREATE TABLE verifications (
    partnership TEXT NOT NULL PRIMARY KEY, payload TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_VERSION_1, _VERSION_2)
