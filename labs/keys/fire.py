"""The answers to lab 7, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """Leave the machine where it burned, miscount the loss, then do it right."""
    hand.undecided(1, "RecRG is primary")
    hand.written("DemoVM", 30)
    hand.play(1)
    hand.refused("SR6003", "failover PriRG --planned --confirm RecRG")
    hand.do("failover PriRG --unplanned --confirm RecRG")
    hand.passes(1)
    hand.fails(2, "DemoVM works in Bellevue")
    hand.do("vm rm DemoVM")
    hand.do("vm add DemoVM --volume RecoveryVol")
    hand.written("DemoVM", int(str(hand.desk.facts["records"])))
    hand.passes(2)
    hand.play(3)
    mend = hand.refused("SR6004", "failover RecRG --unplanned --confirm PriRG")
    hand.do(mend)
    lost = int(str(hand.desk.facts["_alone"]))
    hand.answer("lost_writes", lost + 1)
    hand.fails(3, "you know what was lost")
    hand.answer("lost_writes", lost)
    hand.passes(3)
