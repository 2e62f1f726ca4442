"""The answers to lab 8, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """Go home with the machine left behind, tear down one side alone, then do it right."""
    hand.undecided(1, "in sync with the old primary")
    hand.do("restart ClusterA")
    hand.do("wait RecRG --until Synchronizing")
    hand.passes(1)
    hand.do("failback RecRG --confirm PriRG")
    hand.fails(2, "no machine in two places")
    hand.do("vm rm DemoVM")
    hand.do("vm add DemoVM --volume PrimaryVol")
    hand.passes(2)
    hand.do("vm rm DemoVM")
    hand.do("wait PriRG --until Synchronizing")
    hand.do("teardown PriRG --confirm PriRG --this-side-only")
    hand.fails(3, "torn down on both sides")
    hand.do("teardown RecRG --confirm RecRG")
    hand.passes(3)
