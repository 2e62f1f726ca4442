"""The catalogue keeps what it was told, all or nothing, and refuses what is damaged."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest

from srshell.fabric.catalogue import Catalogue
from srshell.fabric.catalogue_rows import KINDS
from srshell.fabric.catalogue_schema import MIGRATIONS
from srshell.model.errors import SrError
from srshell.model.inventory import (
    Array,
    DesiredState,
    Event,
    JobState,
    Operation,
    Pair,
    Partnership,
    Pool,
    Profile,
    Provider,
    Site,
    Step,
    StepState,
    Vm,
    Volume,
)
from tests.unit.fabric.world import FABRIC, A, B, partnership, snapshot

OPERATION = Operation("a" * 32, "failover", "1" * 32, A, B, 1, 2, (Step("seal", "seal PriRG"),))


def fill(catalogue: Catalogue) -> None:
    """Store the article's example and a little history."""
    known = snapshot()
    with catalogue.transaction():
        for objects in attrs.asdict(known, recurse=False).values():
            if isinstance(objects, tuple):
                catalogue.put(*objects)
        catalogue.put(partnership(), Vm("DemoVM", "PrimaryVol", "PriRG", A), OPERATION)
        catalogue.new_job("refresh", A, 1.0)
        for number in range(5):
            catalogue.append_event(float(number), "info", A, "SR5003", f"refresh {number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the catalogue is to be."""
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def catalogue(path: Path) -> Iterator[Catalogue]:
    """A new catalogue."""
    with Catalogue.open(path, FABRIC) as made:
        yield made


@pytest.fixture
def filled(path: Path) -> Path:
    """A catalogue that was filled and closed."""
    with Catalogue.open(path, FABRIC) as made:
        fill(made)
    return path


def contents(path: Path) -> dict[str, Any]:
    """Everything that a catalogue can say."""
    with Catalogue.open(path) as catalogue:
        return {
            "snapshot": catalogue.snapshot(),
            "jobs": catalogue.jobs(),
            "events": catalogue.events(),
            "operations": catalogue.unfinished_operations(),
            **{cls.__name__: catalogue.all(cls) for cls in KINDS},
        }


def contents_or_code(path: Path) -> tuple[str, dict[str, Any]]:
    """What a catalogue says, or the code with which it is refused."""
    try:
        return "", contents(path)
    except SrError as error:
        return error.code, {}


# --- keeping ------------------------------------------------------------------------------------


def test_what_was_stored_is_there_after_opening_again(filled: Path) -> None:
    """Every kind of object, in the order of its key."""
    with Catalogue.open(filled, "another identity is ignored") as catalogue:
        known = catalogue.snapshot()
        assert known.fabric == FABRIC
        assert set(known.volumes) == set(snapshot().volumes)
        assert [volume.name for volume in known.volumes] == sorted(v.name for v in known.volumes)
        assert known.partnerships == (partnership(),)
        assert catalogue.get(Vm, "DemoVM") == Vm("DemoVM", "PrimaryVol", "PriRG", A)
        assert catalogue.get(Vm, "Nobody") is None
        assert catalogue.get(Pool, A, "PoolA") == snapshot().pools[0]


def test_a_snapshot_is_what_was_put(catalogue: Catalogue) -> None:
    """Field by field."""
    fill(catalogue)
    known = catalogue.snapshot()
    for name in attrs.fields_dict(type(known)):
        if name not in {"partnerships", "vms"}:
            stored, given = getattr(known, name), getattr(snapshot(), name)
            assert stored == given or set(stored) == set(given), name


def test_putting_again_changes_the_object(catalogue: Catalogue) -> None:
    """One row per key."""
    catalogue.put(Site(A, "redmond"))
    catalogue.put(Site(A, "redmond", DesiredState.HELD, "fault site down"))
    assert catalogue.all(Site) == (Site(A, "redmond", DesiredState.HELD, "fault site down"),)


def test_removing_what_is_not_there_does_no_harm(catalogue: Catalogue) -> None:
    """Steps are repeated after a crash."""
    catalogue.put(Pair(A, B))
    catalogue.remove(Pair, A)
    catalogue.remove(Pair, A)
    assert catalogue.all(Pair) == ()


def test_an_array_is_renamed_wherever_it_is_mentioned(catalogue: Catalogue) -> None:
    """Pool, volumes, site, provider and machines follow; the rest stays."""
    fill(catalogue)
    with catalogue.transaction():
        catalogue.rename_array(A, "SITE-A")
    assert catalogue.get(Array, A) is None
    assert catalogue.get(Array, "SITE-A") is not None
    assert catalogue.get(Provider, "SITE-A") == Provider("SITE-A", "SITE-A")
    known = catalogue.snapshot()
    placed: list[Pool | Volume | Site | Vm] = [
        *known.pools,
        *known.volumes,
        *known.sites,
        *known.vms,
    ]
    assert {item.array for item in placed} == {"SITE-A", B}
    assert len(catalogue.all(Volume)) == 4
    assert catalogue.get(Pool, B, "PoolB") is not None


def test_settings_have_defaults_and_stay(path: Path) -> None:
    """The profile is native until somebody says otherwise."""
    with Catalogue.open(path, FABRIC) as catalogue:
        assert catalogue.profile is Profile.NATIVE
        assert catalogue.setting("sandbox", "no") == "no"
        catalogue.set_setting("profile", Profile.SEED_STRICT.value)
    with Catalogue.open(path) as catalogue:
        assert catalogue.snapshot().profile is Profile.SEED_STRICT


def test_the_term_of_owners_only_grows(path: Path) -> None:
    """Sites refuse the lower one."""
    terms = []
    for _ in range(3):
        with Catalogue.open(path, FABRIC) as catalogue:
            terms.append(catalogue.next_owner_term())
    assert terms == [1, 2, 3]


# --- all or nothing -----------------------------------------------------------------------------


def test_a_transaction_that_fails_has_not_happened(catalogue: Catalogue) -> None:
    """Neither the rows nor the numbers."""

    def fail() -> None:
        with catalogue.transaction():
            catalogue.put(Pair(A, B))
            catalogue.append_event(1.0, "info", A, "SR1011", "paired")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert catalogue.all(Pair) == ()
    assert catalogue.append_event(2.0, "info", A, "SR1011", "paired").id == 1


def test_an_error_of_the_caller_passes_through_unchanged(catalogue: Catalogue) -> None:
    """Only failures of the file become errors of the catalogue."""
    with pytest.raises(FileNotFoundError), catalogue.transaction():
        raise FileNotFoundError


def test_transactions_are_not_nested(catalogue: Catalogue) -> None:
    """An inner one would end the outer one early."""
    with pytest.raises(AssertionError), catalogue.transaction(), catalogue.transaction():
        pass


def test_a_constraint_that_is_broken_changes_nothing(catalogue: Catalogue) -> None:
    """Two arrays cannot have one peer."""
    catalogue.put(Pair(A, B))
    with pytest.raises(SrError, match="SR9220"), catalogue.transaction():
        catalogue.put(Pair("ClusterC", B))
    assert catalogue.all(Pair) == (Pair(A, B),)


def test_a_committed_transaction_survives_the_loss_of_the_process(
    path: Path, tmp_path: Path
) -> None:
    """The files as they are while the owner runs are enough to go on from."""
    copy = tmp_path / "copy"
    copy.mkdir()
    with Catalogue.open(path, FABRIC) as catalogue:
        fill(catalogue)
        for file in tmp_path.glob("catalogue.sqlite*"):
            shutil.copy(file, copy)
        expected = catalogue.snapshot()
    with Catalogue.open(copy / path.name) as again:
        assert again.snapshot() == expected


# --- journal ------------------------------------------------------------------------------------


def test_numbers_of_events_grow_and_are_never_used_again(path: Path) -> None:
    """Clients ask for what came after a number."""
    with Catalogue.open(path, FABRIC) as catalogue:
        first = [catalogue.append_event(1.0, "info", A, "SR1011", "x").id for _ in range(3)]
    with Catalogue.open(path) as catalogue:
        assert first == [1, 2, 3]
        assert catalogue.append_event(1, "info", A, "SR1011", "x") == Event(
            4, 1.0, "info", A, "SR1011", "x"
        )


def test_events_are_found_by_number_time_object_and_level(catalogue: Catalogue) -> None:
    """The last that fit, in their order."""
    for number in range(1, 7):
        about, level = (A, "info") if number % 2 else (B, "warning")
        catalogue.append_event(float(number), level, about, "SR5003", str(number))

    def ids(events: tuple[Event, ...]) -> list[int]:
        return [event.id for event in events]

    assert ids(catalogue.events()) == [1, 2, 3, 4, 5, 6]
    assert ids(catalogue.events(after_id=4)) == [5, 6]
    assert ids(catalogue.events(since_unix=3.0)) == [3, 4, 5, 6]
    assert ids(catalogue.events(about=B)) == [2, 4, 6]
    assert ids(catalogue.events(levels=("warning", "error"))) == [2, 4, 6]
    assert ids(catalogue.events(limit=2)) == [5, 6]
    assert ids(catalogue.events(about=A, after_id=1, limit=1)) == [5]


def test_the_journal_is_only_added_to(catalogue: Catalogue) -> None:
    """The file itself refuses changes."""
    event = catalogue.append_event(1.0, "info", A, "SR1011", "x")
    with pytest.raises(SrError, match="SR9220"):
        catalogue.put(attrs.evolve(event, text="y"))
    with pytest.raises(SrError, match="SR9220"):
        catalogue.remove(Event, event.id)
    assert catalogue.events() == (event,)


def test_jobs_are_numbered_and_the_newest_comes_first(catalogue: Catalogue) -> None:
    """A number belongs to one job for ever."""
    jobs = [catalogue.new_job("refresh", A, float(n)) for n in range(3)]
    catalogue.put(attrs.evolve(jobs[1], state=JobState.DONE))
    assert [(job.id, job.state.value) for job in catalogue.jobs()] == [
        (3, "queued"),
        (2, "done"),
        (1, "queued"),
    ]
    assert [job.id for job in catalogue.jobs(limit=1)] == [3]


def test_an_unfinished_role_change_is_found_by_the_next_owner(path: Path) -> None:
    """With every step as it was journalled."""
    begun = attrs.evolve(OPERATION, steps=(Step("seal", "seal PriRG", StepState.BEGUN, 5.0),))
    with Catalogue.open(path, FABRIC) as catalogue:
        catalogue.put(OPERATION)
        catalogue.put(begun)
    with Catalogue.open(path) as catalogue:
        assert catalogue.unfinished_operations() == (begun,)
        catalogue.put(attrs.evolve(begun, finished=True, outcome="done"))
        assert catalogue.unfinished_operations() == ()
        assert catalogue.get(Operation, OPERATION.id) is not None


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
