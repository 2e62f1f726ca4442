"""The answers to lab 3, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """Forget the refresh, verify too early, then do it right."""
    hand.undecided(1, "both groups")
    hand.do("group create PriRG --data PrimaryVol --log PrimaryLogVol")
    hand.fails(1, "both groups")
    hand.do("group create RecRG --data RecoveryVol --log RecoveryLogVol")
    hand.do("enable PriRG RecRG")
    hand.passes(1)
    hand.fails(2, "in sync, by way of the first copy")
    hand.do("refresh --all")
    hand.do("wait PriRG --until Synchronizing")
    hand.passes(2)
    hand.do("verify PriRG")
    hand.do("vm add DemoVM --volume PrimaryVol --rate 200")
    hand.written("DemoVM", int(str(hand.desk.facts["records"])))
    hand.fails(3, "verified while it writes")
    hand.do("verify PriRG --restart")
    hand.passes(3)
