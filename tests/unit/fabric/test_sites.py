"""What counts as news from a site, and how long a silent one is left alone."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from srshell.fabric.sites import POLL_SECONDS, _differs, _pause_seconds
from srshell.model.health import FRESH_SECONDS
from srshell.model.meters import Latency, Legs, Rates
from srshell.site.api import SiteReport
from tests.unit.fabric.world import A, report


def said(**changes: Any) -> SiteReport:  # noqa: ANN401  fields of a report
    """A site's report with one replica."""
    replica = attrs.evolve(report(A), **changes)
    return SiteReport(
        array=A, pid=7, as_of=1.0, started_unix=0.0, owner_term=1, link_address="", nbd_socket="",
        pools=(), volumes=(), replicas=(replica,), exports=(), problems=(), sandbox=False,
        last_event=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"as_of": 99.0},
        {"latency": Legs(write=Latency(5, 0.1, 0.2, 0.3, 0.4))},
        {"rates": Rates(window_seconds=2.5)},
    ],
)
def test_what_only_time_changes_is_no_news(changes: dict[str, Any]) -> None:
    """Or everybody who waits for news would be woken twice a second."""
    assert not _differs(said(), said(**changes))
    assert not _differs(said(), attrs.evolve(said(), as_of=99.0))


@pytest.mark.parametrize(
    "changes", [{"durable_lsn": 99}, {"epoch": 9}, {"rates": Rates(1.0, 5.0, 20480.0)}]
)
def test_what_a_replica_did_is_news(changes: dict[str, Any]) -> None:
    """Rates too: that they are zero again tells of the end of the writing."""
    assert _differs(said(), said(**changes))


def test_what_happened_at_the_site_is_news() -> None:
    """A replica more, an export more."""
    assert _differs(said(), attrs.evolve(said(), replicas=()))
    assert _differs(said(), attrs.evolve(said(), exports=("vol",)))


def test_a_site_of_many_groups_is_asked_less_often_and_its_word_stays_fresh() -> None:
    """RPO 0 is shown for as long as the word is fresh."""
    assert _pause_seconds(POLL_SECONDS, 1) < 1.1 * POLL_SECONDS
    assert _pause_seconds(POLL_SECONDS, 1000) == 2 * POLL_SECONDS <= FRESH_SECONDS / 2
