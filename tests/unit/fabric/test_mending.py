"""The line to type against what is wrong with a group: the one that helps, with the right names."""

from __future__ import annotations

import attrs
import pytest

from srshell.fabric.calls import parse_line
from srshell.fabric.mending import mend_of, mend_of_sides
from srshell.model.health import REASONS, HealthReason
from srshell.model.report import GroupStatus, SplitSide
from srshell.model.states import ReplicationHealth, ReplicationState


def row(name: str, *reasons: str, split: tuple[SplitSide, ...] = ()) -> GroupStatus:
    """A side with reasons for its health."""
    made = GroupStatus(
        name=name, is_primary=name == "PriRG", replication_state=ReplicationState.ERROR,
        replication_health=ReplicationHealth.CRITICAL,
        array="ClusterA" if name == "PriRG" else "ClusterB",
        health_reasons=tuple(HealthReason(code, code) for code in reasons),
        failover_ready=False, failover_ready_reason="", rpo_seconds=None,
        peer="RecRG" if name == "PriRG" else "PriRG", peer_state="Error", epoch=1,
        durable_lsn=1, acked_lsn=1, applied_lsn=1, progress=None, volumes=(), vms=(), as_of=0.0,
    )  # fmt: skip
    return attrs.evolve(made, split=split)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_line_that_can_be_typed(reason: str) -> None:
    """Names and all."""
    parse_line(mend_of(row("PriRG", reason)))


def test_what_a_person_paused_is_resumed() -> None:
    """Looking at it once more mends nothing."""
    assert mend_of(row("PriRG", "suspended")) == "srshell resume PriRG"


def test_a_site_that_is_down_is_mended_before_what_follows_from_it() -> None:
    """The other side knows no more than that its peer is away."""
    sides = row("PriRG", "peer-away-long"), row("RecRG", "site-down")
    assert mend_of_sides(sides) == "srshell restart ClusterB"
    assert mend_of_sides(sides[::-1]) == "srshell restart ClusterB"
    assert mend_of_sides([row("PriRG")]) == ""
    failed = attrs.evolve(row("RecRG", "failed"), peer_state="WaitingForDestination")
    assert mend_of_sides([sides[0], failed]) == "srshell teardown RecRG --confirm RecRG"


@pytest.mark.parametrize(
    ("text", "peer", "line"),
    [
        ("SR9220 open failed", "WaitingForSource", "failover PriRG --unplanned --confirm RecRG"),
        ("SR9220 open failed", "FailedOver", "teardown PriRG --confirm PriRG"),
        ("SR9220 a file is gone", "ReadyForInitialReplication", "teardown PriRG --confirm PriRG"),
        ("SR9210 unreadable", "WaitingForDestination", "teardown PriRG --confirm PriRG"),
        ("SR1101 the pool is away", "WaitingForSource", "restart ClusterA"),
        ("SR9212 of a later version", "WaitingForDestination", "restart ClusterA"),
        ("SR9220 open failed", "Error", "status"),
    ],
)
def test_a_side_that_failed_is_taken_over_first_and_made_anew_then(
    text: str, peer: str, line: str
) -> None:
    """What may come back by itself is only opened again; with both failed, a person looks."""
    made = row("PriRG", "failed")
    failed = attrs.evolve(
        made, peer_state=peer, health_reasons=(HealthReason("failed", text),), is_primary=False
    )
    assert mend_of(failed) == f"srshell {line}"


@pytest.mark.parametrize(("peer", "word"), [("Suspended", "resume"), ("Error", "why")])
@pytest.mark.parametrize("reason", ["refused", "peer-away", "peer-away-long"])
def test_who_misses_the_other_side_is_sent_there(reason: str, peer: str, word: str) -> None:
    """Nothing that is typed against this side would help."""
    apart = attrs.evolve(row("PriRG", reason), peer_state=peer)
    assert mend_of(apart) == f"srshell {word} RecRG"


@pytest.mark.parametrize(
    ("blocks", "kept", "lost"),
    [((3, 0), "ClusterA", "ClusterB"), ((0, 3), "ClusterB", "ClusterA"),
     ((3, 3), "ClusterA", "ClusterB"), ((0, 0), "ClusterA", "ClusterB")],
)  # fmt: skip
def test_no_line_gives_up_the_only_writes_of_a_split_brain(
    blocks: tuple[int, int], kept: str, lost: str
) -> None:
    """Who wrote nothing alone has nothing to lose."""
    split = tuple(
        SplitSide(array, count, 4096 * count, 10, 10 + count, None, None)
        for array, count in zip(("ClusterA", "ClusterB"), blocks, strict=True)
    )
    made = row("PriRG", "split-brain", split=split)
    assert mend_of(made) == f"srshell resolve PriRG --keep {kept} --confirm {lost}"
