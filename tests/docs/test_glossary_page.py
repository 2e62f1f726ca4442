"""The glossary has each word once, and every state and phrase that a person meets."""

import re
from collections import Counter

from srshell.model.replica import OnPeerLoss
from srshell.replication.decide import Amount
from tests.docs.fences import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
WORDS = [
    word.strip(" `")
    for row in ROWS
    if row not in {"word", "---"}
    for word in re.split(r", | \(|\)", row)
    if word.strip()
]


def test_every_word_stands_once() -> None:
    """Two entries for one word are two meanings."""
    assert len(WORDS) > 80
    assert [word for word, count in Counter(WORDS).items() if count > 1] == []


def test_the_words_of_policies_and_ways_to_catch_up_are_explained() -> None:
    """Those that a person types or reads."""
    for policy in OnPeerLoss:
        assert f"`{policy.value}`" in PAGE
    for amount in (Amount.BITMAP, Amount.CHECKSUM, Amount.FULL):
        assert f"{amount.value} copy" in WORDS
