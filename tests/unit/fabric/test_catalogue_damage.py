"""A catalogue of another version, damaged, or unreachable is refused and left as it is."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import apsw
import pytest

from srshell.fabric.catalogue import Catalogue
from srshell.fabric.catalogue_schema import MIGRATIONS
from srshell.model.errors import SrError
from srshell.model.inventory import (
    Pair,
    Partnership,
)
from tests.unit.fabric.catalogue_samples import contents, contents_or_code, fill
from tests.unit.fabric.world import FABRIC, A, B


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the catalogue is to be."""
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def filled(path: Path) -> Path:
    """A catalogue that was filled and closed."""
    with Catalogue.open(path, FABRIC) as made:
        fill(made)
    return path


# --- versions -----------------------------------------------------------------------------------


def test_an_older_catalogue_is_brought_to_the_present_version(filled: Path) -> None:
    """Step by step, in one transaction, with everything in it."""
    before = contents(filled)
    later = (*MIGRATIONS, "CREATE TABLE notes (name TEXT PRIMARY KEY) STRICT;")
    with Catalogue.open(filled, migrations=later) as catalogue:
        assert catalogue.snapshot() == before["snapshot"]
    connection = apsw.Connection(str(filled))
    assert connection.pragma("user_version") == len(later)
    connection.close()


def test_a_migration_that_fails_leaves_the_older_version(filled: Path) -> None:
    """Half a step is no step."""
    before = contents(filled)
    broken = (*MIGRATIONS, "CREATE TABLE notes (name TEXT) STRICT; SELECT no_such_function();")
    with pytest.raises(SrError, match="SR9220"):
        Catalogue.open(filled, migrations=broken)
    assert contents(filled) == before


def test_a_version_from_the_future_is_refused_and_left_as_it_is(filled: Path) -> None:
    """The facts name both versions."""
    connection = apsw.Connection(str(filled))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = filled.read_bytes()
    with pytest.raises(SrError) as raised:
        Catalogue.open(filled)
    assert raised.value.code == "SR9202"
    assert "version 99" in raised.value.facts
    assert filled.read_bytes() == before


# --- damage -------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    """The code with which a catalogue is refused; its bytes stay as they are."""
    before = path.read_bytes()
    with pytest.raises(SrError) as raised:
        Catalogue.open(path, FABRIC)
    assert path.read_bytes() == before
    return raised.value.code


@pytest.mark.parametrize("length", [0, 1, 15, 16, 99, 100, 4095, 4096, 8192, -4096, -1])
def test_a_catalogue_that_was_cut_short_is_refused(filled: Path, length: int) -> None:
    """An empty file is damage, never a new beginning."""
    data = filled.read_bytes()
    filled.write_bytes(data[:length])
    assert refused(filled) == "SR9201"


def test_a_file_that_is_no_catalogue_is_refused(path: Path) -> None:
    """Text, noise, or another program's database."""
    for data in (b"hello\n" * 1000, random.Random(1).randbytes(65536), bytes(65536)):
        path.write_bytes(data)
        assert refused(path) == "SR9201"
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    assert refused(path) == "SR9201"


def test_a_flipped_bit_is_refused_or_changes_nothing(filled: Path) -> None:
    """Wherever it is: never another answer, never an exception without a code."""
    expected = contents(filled)
    data = filled.read_bytes()
    dice = random.Random(20)
    used = [index for index, value in enumerate(data) if value]
    noticed = 0
    for position in dice.sample(used, 250) + list(range(100)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << dice.randrange(8)
        filled.write_bytes(bytes(damaged))
        for rest in filled.parent.glob("*.sqlite-*"):
            rest.unlink()
        code, found = contents_or_code(filled)
        assert code in {"", "SR9201", "SR9202"}, position
        assert code or found == expected, position
        noticed += bool(code)
    assert noticed > 100


def test_a_row_that_does_not_fit_its_checksum_is_refused(filled: Path) -> None:
    """What SQLite takes for well-formed may still be wrong."""
    connection = apsw.Connection(str(filled))
    connection.execute("UPDATE volumes SET array = 'ClusterB' WHERE name = 'PrimaryVol'")
    connection.close()
    assert refused(filled) == "SR9201"


def test_a_catalogue_without_identity_is_refused(filled: Path) -> None:
    """It could not tell its own pools from others."""
    connection = apsw.Connection(str(filled))
    connection.execute("DELETE FROM settings")
    connection.close()
    assert refused(filled) == "SR9201"


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A directory in the place of the file, or no directory to make it in."""
    inside = tmp_path / "catalogue.sqlite"
    inside.mkdir()
    for path in (inside, tmp_path / "missing" / "catalogue.sqlite"):
        with pytest.raises(SrError) as raised:
            Catalogue.open(path, FABRIC)
        assert raised.value.code == "SR9006"


def test_a_beginning_that_was_cut_short_is_begun_again(path: Path) -> None:
    """Nothing with the right name was there, so nothing was lost."""
    path.with_name("catalogue.sqlite.new").write_bytes(b"half a cata")
    with Catalogue.open(path, FABRIC) as catalogue:
        assert catalogue.fabric == FABRIC


def test_a_second_writer_is_told_apart_from_damage(path: Path) -> None:
    """Another process writes: the code says so."""
    with Catalogue.open(path, FABRIC) as catalogue:
        catalogue._connection.set_busy_timeout(0)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SrError, match="SR9005"), catalogue.transaction():
            pass
        other.execute("ROLLBACK")
        other.close()
        catalogue.put(Pair(A, B))
        assert catalogue.all(Pair) == (Pair(A, B),)
        assert catalogue.all(Partnership) == ()
