"""One interface: session, client and blocking client take and return the same."""

from __future__ import annotations

import inspect

import pytest

from srshell.fabric.api import FabricApi
from srshell.fabric.control_client import FabricClient
from srshell.fabric.planning.several import run_plan
from srshell.fabric.reports import decode
from srshell.fabric.session import HANDLERS, FabricSession
from srshell.fabric.sync_client import SyncFabric
from srshell.fabric.verb import VERBS, complete
from srshell.model.errors import SrError
from srshell.model.report import REPORTS, VmReport, encode


@pytest.mark.parametrize("name", sorted(VERBS))
def test_all_three_have_equal_signatures(name: str) -> None:
    """A script that runs over the socket runs in process, and the other way round."""
    declared = inspect.signature(getattr(FabricApi, name))
    assert inspect.signature(getattr(FabricSession, name)) == declared
    assert inspect.signature(getattr(FabricClient, name)) == declared
    assert inspect.signature(getattr(SyncFabric, name)) == declared


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_has_a_function_that_takes_its_arguments(name: str) -> None:
    """The session adds ``ask`` where a name has to be typed, and keeps three for itself."""
    given = set(VERBS[name].signature.parameters)
    if "dry_run" in given:
        given -= {"dry_run", "wait", "timeout"}
        given |= {"ask"} if "confirm" in given else set()
    # The one verb that carries out others is no handler: it is given them.
    handler = run_plan if name == "run_plan" else HANDLERS[name]
    taken = set(inspect.signature(handler).parameters) - {"context", "handlers", "perform"}
    assert given == taken


def test_arguments_are_completed() -> None:
    """Defaults are filled in once, and objects become their names."""
    vm = VmReport("vm", "PV", "A", "G", "writer", "running")
    assert complete("remove_vm", {"name": vm}) == {"name": "vm", "dry_run": False, "wait": True}
    assert complete("refresh", {"arrays": ["A"]})["arrays"] == ("A",)


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("statuss", {}, "status"),
        ("status", {"grup": "G"}, "group"),
        ("pair", {"array": "A"}, "peer is missing"),
    ],
)
def test_what_does_not_fit_a_verb_is_a_coded_error(
    verb: str, arguments: dict[str, object], said: str
) -> None:
    """A request over the socket is read as carefully as a command line."""
    with pytest.raises(SrError) as refused:
        complete(verb, arguments)
    assert refused.value.code == "SR0001"
    assert said in f"{refused.value.message} {refused.value.facts}"


def test_reports_are_read_by_their_schema() -> None:
    """What one side encodes the other decodes into the same value."""
    vm = VmReport("vm", "PV", "A", "G", "writer", "running")
    assert decode(encode(vm)) == vm
    assert all(schema.startswith("srshell.") for schema in REPORTS)
