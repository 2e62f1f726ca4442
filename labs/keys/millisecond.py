"""The answers to lab 5, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand
from srshell.model.meters import Legs

#: A slow disk takes longer than this for a record, a slow link for a round trip; in seconds.
SLOW_DISK, SLOW_LINK = 0.08, 0.008
#: Fewer writes say nothing of most of them.
WRITES_MIN = 20


def play(hand: Hand) -> None:
    """Predict half of it, and begin anew; then read the slow leg off the meters."""
    hand.undecided(1, "predicted before it was measured")
    hand.play(1)
    hand.answer("fastest_ms", hand.desk.notes["today_ms"] / 2)
    hand.play(1)
    hand.fails(1, "predicted before it was measured")
    hand.reset(1)
    hand.play(1)
    delay_ms = float(str(hand.desk.facts["delay_ms"]))
    hand.answer("fastest_ms", hand.desk.notes["today_ms"] + 2 * delay_ms)
    hand.play(1)
    hand.passes(1)
    hand.reset(2)  # meters that have seen nothing else
    hand.play(2)
    right = str(hand.desk.facts["_slow"])
    hand.until("the meters name the slow leg", lambda: slow_leg(legs(hand)) == right)
    hand.answer("slow_leg", "link" if right != "link" else "remote_log")
    hand.fails(2, "the slow leg is named")
    hand.answer("slow_leg", right)
    hand.passes(2)
    for fault in ("link slow", "disk slow ClusterA", "disk slow ClusterB"):
        hand.do(f"fault {fault} --for 0s")


def legs(hand: Hand) -> Legs:
    """The meters of the source."""
    row = hand.desk.status("PriRG")
    assert row is not None
    return row.latency


def slow_leg(found: Legs) -> str:
    """What the meters say of most writes; one alone may be late for many reasons."""
    if min(found.local_log.count, found.remote_log.count) < WRITES_MIN:
        return ""
    local, remote = found.local_log.p50_seconds, found.remote_log.p50_seconds
    if max(local, remote) > SLOW_DISK:
        return "local_log" if local > remote else "remote_log"
    return "link" if found.round_trip.p50_seconds > SLOW_LINK else ""
