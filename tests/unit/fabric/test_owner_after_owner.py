"""A client outlives the owner that it spoke to: its next command reaches the next owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import srshell
from srshell.fabric.sync_client import SyncFabric
from tests.unit.fabric.serving import serve
from tests.unit.fabric.setting import Opener, protect


@pytest.fixture
def orphan(opener: Opener) -> Iterator[SyncFabric]:
    """A client whose owner ended, and was followed by another one, since it was asked last."""
    with ExitStack() as stack:
        with serve(opener.open()) as served:
            served.loop.run(protect(served.session, opener))
            client = stack.enter_context(srshell.connect(served.directory, start=False))
            client.status()
        stack.enter_context(serve(opener.open()))
        yield client


def test_a_plan_is_asked_for_again(orphan: SyncFabric) -> None:
    """It changes nothing, so nothing can be done twice."""
    assert orphan.failover("PriRG", dry_run=True).confirm == "RecRG"


def test_a_change_that_nobody_heard_is_sent_again(orphan: SyncFabric) -> None:
    """The old owner had ended before it was sent; a person would only have to type it again."""
    assert orphan.suspend("PriRG").groups[0].replication_state == "Suspended"
