"""A group that its log could not describe is refused before anything of it is made."""

from __future__ import annotations

import attrs
import pytest

from srshell.fabric import checks
from srshell.fabric.findings import Verdict
from srshell.fabric.snapshot import View
from tests.unit.fabric.world import group, snapshot, view, volume

#: As many volumes as are too many, and five that are too much: where they lie, and what is said.
REFUSED = [
    (65, "/disks/east", "it has 65 data volumes, at most 64 are possible"),
    (5, "/" + "d" * 4000, "its superblock may come to"),
]


def data(count: int) -> tuple[str, ...]:
    return tuple(f"Pri{n:02}" for n in range(count))


def with_volumes(count: int, directory: str) -> View:
    """Volumes each in a directory of its own, and no group yet."""
    made = tuple(volume(name, path=f"{directory}{n}/{name}") for n, name in enumerate(data(count)))
    return view(volumes=(*snapshot().volumes, *made), groups=())


@pytest.mark.parametrize(("count", "directory", "facts"), REFUSED)
def test_when_it_is_created(count: int, directory: str, facts: str) -> None:
    known = with_volumes(count, directory)
    verdict = checks.check_group(known, "PriMany", data(count), "PrimaryLogVol")
    (error,) = verdict.errors
    assert (error.code, error.mend) == ("SR2016", "srshell volumes")
    assert error.facts.startswith(facts)
    assert checks.check_group(known, "PriFew", data(2), "PrimaryLogVol") == Verdict()


def test_as_many_volumes_as_are_possible_are_allowed() -> None:
    known = with_volumes(64, "/disks/east")
    assert checks.check_group(known, "PriMany", data(64), "PrimaryLogVol") == Verdict()


@pytest.mark.parametrize(("count", "directory", "facts"), REFUSED)
@pytest.mark.parametrize("name", ["PriRG", "RecRG"])
def test_when_one_of_an_earlier_release_is_to_be_protected(
    name: str, count: int, directory: str, facts: str
) -> None:
    """Whichever side it is, the other one is not begun."""
    known = with_volumes(count, directory)
    old = attrs.evolve(group(name), data=data(count))
    other = attrs.evolve(group("RecRG" if name == "PriRG" else "PriRG"), data=data(count))
    objects = attrs.evolve(known.snapshot, groups=(old, other))
    found = checks.check_enable(View(objects, known.facts), name, other.name).errors
    assert [error.message for error in found if error.code == "SR2016"] == [
        f"The group {side} has more volumes, or longer paths, than its log can describe."
        for side in (name, other.name)
    ]
    assert all(error.facts.startswith(facts) for error in found if error.code == "SR2016")
