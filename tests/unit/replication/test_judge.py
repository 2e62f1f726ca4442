"""Which side of a block is wrong: every combination, and nothing repaired that is not proven."""

from itertools import product

import pytest

from srshell.codec import checksum_page
from srshell.replication.judge import (
    CORRUPT,
    UNKNOWN,
    UNREADABLE,
    Judgement,
    Sums,
    Wrong,
    judge,
)

#: How a side may stand to what it recorded.
RIGHT, ROTTEN, UNSEEN, GONE = Sums(7, 7), Sums(8, 7), Sums(9, UNKNOWN), Sums(UNREADABLE, 7)
NEVER_SEEN_AND_GONE = Sums(UNREADABLE, UNKNOWN)
#: A part of it was written when the rest had rotted.
FOUND_CORRUPT = Sums(5, CORRUPT)
#: What is not what it recorded, and recorded something else than the other side.
STRANGE = Sums(8, 6)

TABLE = {
    (RIGHT, RIGHT): Judgement(Wrong.UNKNOWN),
    (RIGHT, ROTTEN): Judgement(Wrong.DESTINATION, proven=True),
    (RIGHT, UNSEEN): Judgement(Wrong.UNKNOWN),
    (RIGHT, GONE): Judgement(Wrong.DESTINATION, proven=True),
    (ROTTEN, RIGHT): Judgement(Wrong.SOURCE, proven=True),
    (ROTTEN, ROTTEN): Judgement(Wrong.BOTH),
    (ROTTEN, UNSEEN): Judgement(Wrong.SOURCE),
    (ROTTEN, GONE): Judgement(Wrong.BOTH),
    (UNSEEN, RIGHT): Judgement(Wrong.UNKNOWN),
    (UNSEEN, ROTTEN): Judgement(Wrong.DESTINATION),
    (UNSEEN, UNSEEN): Judgement(Wrong.UNKNOWN),
    (UNSEEN, GONE): Judgement(Wrong.DESTINATION),
    (GONE, RIGHT): Judgement(Wrong.SOURCE, proven=True),
    (GONE, ROTTEN): Judgement(Wrong.BOTH),
    (GONE, UNSEEN): Judgement(Wrong.SOURCE),
    (GONE, GONE): Judgement(Wrong.BOTH),
}
STANDINGS = (RIGHT, ROTTEN, UNSEEN, GONE)


def test_the_table_has_every_combination() -> None:
    assert set(TABLE) == set(product(STANDINGS, repeat=2))


@pytest.mark.parametrize(("sides", "expected"), TABLE.items())
def test_blocks_that_differ(sides: tuple[Sums, Sums], expected: Judgement) -> None:
    assert judge(*sides, equal=False) == expected


def test_blocks_that_are_equal_are_wrong_only_if_a_checksum_contradicts() -> None:
    """Both copies may have the same wrong content: it was wrong before it was copied."""
    for ours, theirs in product((RIGHT, ROTTEN, UNSEEN), repeat=2):
        expected = Wrong.CHECKSUM if ROTTEN in (ours, theirs) else Wrong.NONE
        assert judge(ours, theirs, equal=True) == Judgement(expected)


def test_the_verdict_is_exchanged_with_the_sides() -> None:
    exchanged = {Wrong.SOURCE: Wrong.DESTINATION, Wrong.DESTINATION: Wrong.SOURCE}
    for ours, theirs in product(STANDINGS, repeat=2):
        one, other = judge(ours, theirs, equal=False), judge(theirs, ours, equal=False)
        assert (exchanged.get(one.wrong, one.wrong), one.proven) == (other.wrong, other.proven)


def test_only_one_right_and_one_wrong_side_prove_anything() -> None:
    for ours, theirs in product(STANDINGS, repeat=2):
        proven = judge(ours, theirs, equal=False).proven
        assert proven == ({ours.right, theirs.right} == {True, False})


def test_a_copy_that_the_wrong_side_never_recorded_is_no_proof() -> None:
    """Two sides that recorded different contents diverged before one of them rotted."""
    assert judge(RIGHT, STRANGE, equal=False) == Judgement(Wrong.DESTINATION)
    assert judge(STRANGE, RIGHT, equal=False) == Judgement(Wrong.SOURCE)


def test_a_block_that_was_found_corrupt_takes_the_right_copy() -> None:
    assert judge(RIGHT, FOUND_CORRUPT, equal=False) == Judgement(Wrong.DESTINATION, proven=True)
    assert judge(FOUND_CORRUPT, RIGHT, equal=False) == Judgement(Wrong.SOURCE, proven=True)


def test_the_words_are_those_of_the_checksum_page() -> None:
    assert (UNKNOWN, CORRUPT) == (checksum_page.UNKNOWN, checksum_page.CORRUPT)


def test_a_block_that_cannot_be_read_is_wrong_whatever_was_recorded() -> None:
    assert NEVER_SEEN_AND_GONE.right is False
    assert judge(RIGHT, NEVER_SEEN_AND_GONE, equal=False).proven
