"""The answers to lab 4, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """Answer wrong, make a log that is still too small, then do it right."""
    hand.undecided(1, "you saw how it caught up")
    hand.play(1)
    hand.answer("resync", "log")
    hand.fails(1, "you saw how it caught up")
    hand.answer("resync", "blocks")
    hand.passes(1)
    hand.fails(2, "the log covers a night")
    rebuild(hand, "12M")
    hand.fails(2, "the log covers a night")
    rebuild(hand, "24M")
    hand.passes(2)
    hand.undecided(3, "caught up from the log")
    hand.play(3)
    hand.passes(3)


def rebuild(hand: Hand, log: str) -> None:
    """Take the replication apart and put it together with other logs."""
    hand.do("teardown PriRG --confirm PriRG")
    for group, volume, array in (
        ("PriRG", "PrimaryLogVol", "ClusterA"),
        ("RecRG", "RecoveryLogVol", "ClusterB"),
    ):
        hand.do(f"group rm {group}")
        hand.do(f"volume rm {volume} --confirm {volume}")
        hand.do(f"provision {volume} --on {array}/PoolA --size {log} --log")
        hand.do(f"group create {group} --data {volume.replace('Log', '')} --log {volume}")
    hand.do("enable PriRG RecRG --seeded --confirm RecRG")
    hand.do("refresh --all")
    hand.do("wait PriRG --until Synchronizing")
