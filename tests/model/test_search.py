"""The rules of replication, searched through: two sites, with and without a witness."""

from functools import cache

import pytest

from srshell.model.replica import OnPeerLoss
from srshell.replication import reigns
from srshell.replication.decide import Amount, Relation
from srshell.replication.source import Phase
from tests.model import calm
from tests.model.__main__ import EVERYTHING, SCOPES
from tests.model.group import Scope
from tests.model.local import machine_of
from tests.model.search import Found, Search

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WITNESS = Scope(1, 2, witness=True)


@cache
def searched(scope: Scope) -> tuple[Search, Found]:
    """Search a scope once for all tests of this file."""
    search = Search(scope)
    return search, search.run()


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_every_reachable_state_keeps_every_promise(
    scope: Scope, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the promises are stands in `tests.model.promises`; a failure shows its trace."""
    _, found = searched(scope)
    with capsys.disabled():
        print(f"\n{scope}: {found}")  # noqa: T201
    assert not found.broken, str(found)


def test_when_faults_stop_the_group_comes_back_in_step() -> None:
    """No state is a dead end, not even after a split: nothing waits for ever or goes round."""
    search, _ = searched(EVERYTHING)
    assert not calm.restless(search.group, search.states)


def test_a_history_that_is_trimmed_at_every_fence_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Older eras are dropped once both sides are in step; the newest shared one stays."""
    monkeypatch.setattr(reigns, "HISTORY_KEPT", 1)
    found = Search(Scope(1, 3, policies=(OnPeerLoss.CONTINUE,))).run()
    assert not found.broken, str(found)


def test_the_search_meets_every_phase_but_refusing() -> None:
    """A search that never gets somewhere proves nothing about it; io-error adds no new order."""
    search, _ = searched(EVERYTHING)
    machines = (machine_of(side) for side in search.group.sides.values)
    met = {machine.phase for machine in machines if machine is not None}
    assert met == set(Phase) - {Phase.REFUSING}


def test_the_search_meets_every_relation_that_needs_no_damage() -> None:
    """Unrelated, stuck and corrupt sides take a damaged or exchanged disk; the model has none."""
    search, _ = searched(EVERYTHING)
    contacts = [search.group.contact(search.group.unpack(s)[0]) for s in search.states]
    damage = {Relation.UNRELATED, Relation.STUCK, Relation.CORRUPT}
    assert {contact.relation for contact in contacts} == set(Relation) - damage
    assert {contact.amount for contact in contacts} == set(Amount) - {Amount.FULL, Amount.CHECKSUM}


def test_every_step_of_the_model_can_happen() -> None:
    """A step that is written and never taken would be a hole in the proof."""
    met = {
        label.split(" ", 1)[1]
        for search, _ in (searched(EVERYTHING), searched(WITNESS))
        for label in search.labels
    }
    of_policies = {verb for verb in met if verb.startswith(("stores ", "goes by "))}
    assert met - of_policies == STEPS
    assert of_policies >= {"stores the fence", "goes by continue", "goes by suspend-io"}


def test_with_a_witness_the_group_comes_back_in_step_too() -> None:
    """A grant that was given and not used holds nobody up for ever."""
    search, found = searched(WITNESS)
    assert not found.broken, str(found)
    assert not calm.restless(search.group, search.states)


STEPS = {
    "writes",
    "makes its log durable",
    "makes a frame durable",
    "makes alone durable",
    "cannot begin an epoch",
    "is granted to lead alone",
    "is granted the lead",
    "is granted the switch",
    "is in step again",
    "makes in-sync durable",
    "hears a confirmation",
    "hears that the fence is stored",
    "closes the fence",
    "ends the copy",
    "sees a stable link",
    "loses the link",
    "waits for the peer timeout",
    "crashes and restarts",
    "reuses its log",
    "takes the peer's longer tail",
    "and its peer agree that it leads",
    "is ready to lead",
    "follows",
    "leads",
    "is told to lead alone",
    "is demoted as planned",
    "is promoted as planned",
    "is promoted unplanned",
    "is given up",
}
