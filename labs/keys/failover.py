"""The answers to lab 6, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """Stop half way, put a stranger where DemoVM should be, then do it right."""
    hand.undecided(1, "RecRG is primary, as planned")
    hand.written("DemoVM", 30)
    hand.do("vm rm DemoVM")
    hand.do("prepare PriRG")
    hand.fails(1, "RecRG is primary, as planned")
    hand.do("failover PriRG --planned --confirm RecRG")
    hand.passes(1)
    hand.do("wait RecRG --until Synchronizing")
    hand.do("vm add OtherVM --volume RecoveryVol")
    hand.fails(2, "DemoVM works in Bellevue")
    hand.do("vm rm OtherVM")
    hand.do("vm add DemoVM --volume RecoveryVol")
    hand.written("DemoVM", int(str(hand.desk.facts["records"])))
    hand.passes(2)
    hand.do("vm rm DemoVM")
    hand.play(3)
    hand.refused("SR6013", "failover RecRG --planned --confirm PriRG")
    hand.do("wait RecRG --until Synchronizing")
    hand.do("failback RecRG --confirm PriRG")
    hand.passes(3)
