"""The catalogue keeps what it was told, all or nothing, and refuses what is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from srshell.fabric.catalogue import Catalogue
from srshell.model.errors import SrError
from srshell.model.inventory import (
    Array,
    DesiredState,
    Event,
    JobState,
    Operation,
    Pair,
    Pool,
    Profile,
    Provider,
    Site,
    Step,
    StepState,
    Vm,
    Volume,
)
from tests.unit.fabric.catalogue_samples import OPERATION, fill
from tests.unit.fabric.world import FABRIC, A, B, partnership, snapshot


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


@pytest.fixture
def catalogue(path: Path) -> Iterator[Catalogue]:
    """A new catalogue."""
    with Catalogue.open(path, FABRIC) as made:
        yield made


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
