"""The answers to lab 1, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """Fall into every trap first, then do it right."""
    hand.undecided(1, "two arrays")
    hand.refused("SR1001", "discover {_taken} --as ClusterA --site redmond")
    hand.do("discover {_good} --as ClusterA --site redmond")
    if hand.desk.notes.get("elsewhere"):
        hand.do("discover {_forgetful} --as ClusterB --site bellevue")
        hand.fails(1, "both keep what they are told")
        hand.reset(1)
        hand.do("discover {_good} --as ClusterA --site redmond")
    hand.refused("SR1003", "discover {_good} --as ClusterB --site bellevue")
    hand.fails(1, "two arrays")
    hand.do("discover {_alias} --as ClusterB --site bellevue")  # another name of the better one
    hand.passes(1)
    hand.do("classify ClusterA/PoolA {storage_class}")
    hand.fails(2, "both pools have their class")
    hand.do("classify ClusterB/PoolA {storage_class}")
    hand.passes(2)
