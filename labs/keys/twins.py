"""The answers to lab 2, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand

FOUR = "provision PrimaryVol {other} --size {size} --logs PrimaryLogVol {log} --log-size {log_size}"


def play(hand: Hand) -> None:
    """Pair the wrong way round, make the wrong volumes, then do it right."""
    hand.undecided(1, "the arrays are paired")
    hand.do("pair ClusterB ClusterA")
    hand.fails(1, "the arrays are paired")
    hand.do("unpair ClusterA")
    hand.do("pair ClusterA ClusterB")
    hand.passes(1)
    hand.refused(
        "SR2007", FOUR.replace("{other}", "RecoveryVol").replace("{log}", "RecoveryLogVol")
    )
    hand.refused("SR2005", FOUR.replace("{other}", "Recovery2").replace("{log}", "RecoveryLogVol"))
    hand.do("provision PrimaryVol --on ClusterA/PoolA --size {size}")
    hand.fails(2, "data volumes are twins")
    hand.do("volume rm RecoveryVol --confirm RecoveryVol")
    hand.do("provision Spare --on ClusterA/PoolA --size 4M")
    hand.do(FOUR.replace("{other}", "RecoveryVol").replace("{log}", "RecoveryLogVol"))
    hand.fails(2, "nothing else is left")
    hand.do("volume rm Spare --confirm Spare")
    hand.passes(2)
