"""Every rule of `decide` as a row: two standings, and what one side is to the other."""

import attrs

from srshell.model.replica import ReplicaData, Standing
from srshell.replication.decide import UNKNOWN_LSN, Amount, Relation
from tests.unit.replication.standings import A, B, alone, era, primary, standing

INCONSISTENT = ReplicaData.INCONSISTENT


@attrs.frozen
class Row:
    """What A and B say, and what A is to B then."""

    sentence: str
    mine: Standing
    theirs: Standing
    relation: Relation
    amount: Amount
    common_lsn: int


ROWS = (
    # Neither wrote without the other.
    Row("equal ends are equal sides", primary(A), standing(B), Relation.EQUAL, Amount.NOTHING, 5),
    Row(
        "a shorter secondary is given the records that it lacks",
        primary(A),
        standing(B, 3),
        Relation.SOURCE,
        Amount.LOG,
        3,
    ),
    Row(
        "a longer log leads even when it is the secondary's",
        primary(A, 3),
        standing(B),
        Relation.TARGET,
        Amount.LOG,
        3,
    ),
    Row(
        "one LSN with two checksums is corruption",
        primary(A, tail_crc=1),
        standing(B, tail_crc=2),
        Relation.CORRUPT,
        Amount.NOTHING,
        5,
    ),
    Row(
        "a log that does not hold its tail any more proves nothing",
        primary(A, tail_crc=1),
        standing(B, tail_crc=0),
        Relation.EQUAL,
        Amount.NOTHING,
        5,
    ),
    # One side has a newer epoch.
    Row(
        "the side with a newer epoch leads, however short its log",
        primary(A, 9),
        primary(B, 4, era(2, 4, B)),
        Relation.TARGET,
        Amount.LOG,
        4,
    ),
    Row(
        "a tail in the old epoch is dropped back to where the new one began",
        primary(A, 6, era(2, 4)),
        standing(B, 5),
        Relation.SOURCE,
        Amount.LOG,
        4,
    ),
    Row(
        "of two newer epochs the higher one leads when nobody acknowledged anything",
        primary(A, 5, era(2, 5)),
        primary(B, 5, era(3, 5, B)),
        Relation.TARGET,
        Amount.LOG,
        5,
    ),
    Row(
        "a side that follows a longer history shares as much of it as its log holds",
        primary(A, 9, era(2, 7)),
        standing(B, 4, era(2, 7)),
        Relation.SOURCE,
        Amount.LOG,
        4,
    ),
    Row(
        "an era that begins beyond the end of the log adds nothing to what is shared",
        primary(A, 3, era(2, 5)),
        standing(B, 4),
        Relation.SOURCE,
        Amount.LOG,
        3,
    ),
    # Writes were acknowledged alone.
    Row(
        "who wrote alone leads",
        alone(A, 6, era(2, 5)),
        standing(B),
        Relation.SOURCE,
        Amount.LOG,
        5,
    ),
    Row(
        "who wrote alone leads over a higher epoch that acknowledged nothing",
        alone(A, 6, era(2, 5)),
        primary(B, 5, era(3, 5, B)),
        Relation.SOURCE,
        Amount.LOG,
        5,
    ),
    Row(
        "an LSN of the shared epoch counts when it was acknowledged alone",
        alone(A, 6, era(2, 6)),
        alone(B, 6, era(2, 5, B)),
        Relation.SPLIT,
        Amount.NOTHING,
        5,
    ),
    Row(
        "both wrote alone: split",
        alone(A, 6, era(2, 5)),
        alone(B, 7, era(2, 5, B)),
        Relation.SPLIT,
        Amount.NOTHING,
        5,
    ),
    Row(
        "a person made the other side lead: split, although it wrote nothing",
        alone(A, 6, era(2, 5)),
        alone(B, 5, era(2, 5, B)),
        Relation.SPLIT,
        Amount.NOTHING,
        5,
    ),
    Row(
        "who was alone and wrote nothing beyond the common point follows",
        primary(A, 5, acked_alone_lsn=5, alone=True),
        alone(B, 6, era(2, 5, B)),
        Relation.TARGET,
        Amount.LOG,
        5,
    ),
    # A person named the side to keep.
    Row(
        "the side that was given up follows, and the blocks of both sides are copied",
        alone(A, 6, era(2, 5), yields=True),
        alone(B, 7, era(2, 5, B)),
        Relation.TARGET,
        Amount.BITMAP,
        5,
    ),
    Row(
        "the side that was given up follows even when its epoch is higher",
        standing(A, 5, era(9, 5), yields=True),
        primary(B, 5, era(2, 5, B)),
        Relation.TARGET,
        Amount.LOG,
        5,
    ),
    Row(
        "two sides that both were given up are split as before: nobody is left to keep",
        alone(A, 6, era(2, 5), yields=True),
        alone(B, 7, era(2, 5, B), yields=True),
        Relation.SPLIT,
        Amount.NOTHING,
        5,
    ),
    Row(
        "without its marks, every block of the given-up side is compared",
        alone(A, 6, era(2, 5), yields=True, marked_from_lsn=UNKNOWN_LSN),
        alone(B, 7, era(2, 5, B)),
        Relation.TARGET,
        Amount.CHECKSUM,
        5,
    ),
    # How the target is brought in step.
    Row(
        "what the log no longer holds is copied by the marks",
        alone(A, 9, era(2, 5), log_first_lsn=8),
        standing(B),
        Relation.SOURCE,
        Amount.BITMAP,
        5,
    ),
    Row(
        "marks that begin after the common point are not enough",
        alone(A, 9, era(2, 5), log_first_lsn=8, marked_from_lsn=6),
        standing(B),
        Relation.SOURCE,
        Amount.CHECKSUM,
        5,
    ),
    Row(
        "without marks every block is compared",
        alone(A, 9, era(2, 5), log_first_lsn=8, marked_from_lsn=UNKNOWN_LSN),
        standing(B),
        Relation.SOURCE,
        Amount.CHECKSUM,
        5,
    ),
    Row(
        "a copy goes on where it stopped",
        alone(A, copy_id="c"),
        standing(B, 4, data=INCONSISTENT, copy_id="c"),
        Relation.SOURCE,
        Amount.RESUME,
        4,
    ),
    Row(
        "a copy that the log has overrun goes on by the marks",
        alone(A, copy_id="c", log_first_lsn=6),
        standing(B, 4, data=INCONSISTENT, copy_id="c"),
        Relation.SOURCE,
        Amount.BITMAP,
        4,
    ),
    Row(
        "a copy that nobody remembers begins anew by comparing",
        alone(A, copy_id="c"),
        standing(B, data=INCONSISTENT, copy_id="d"),
        Relation.SOURCE,
        Amount.CHECKSUM,
        5,
    ),
    Row(
        "an inconsistent side without a copy is compared",
        primary(A),
        standing(B, data=INCONSISTENT),
        Relation.SOURCE,
        Amount.CHECKSUM,
        5,
    ),
    Row(
        "a blank side takes everything",
        alone(A),
        standing(B, 0, data=ReplicaData.BLANK),
        Relation.SOURCE,
        Amount.FULL,
        0,
    ),
    # Nobody can lead.
    Row(
        "two inconsistent sides are stuck",
        standing(A, data=INCONSISTENT),
        standing(B, data=INCONSISTENT),
        Relation.STUCK,
        Amount.NOTHING,
        5,
    ),
    Row(
        "an inconsistent side is not followed, whatever it wrote",
        alone(A, 6, era(2, 5), data=INCONSISTENT),
        standing(B),
        Relation.STUCK,
        Amount.NOTHING,
        5,
    ),
    Row(
        "two blank sides are stuck",
        standing(A, data=ReplicaData.BLANK),
        standing(B, data=ReplicaData.BLANK),
        Relation.STUCK,
        Amount.NOTHING,
        0,
    ),
    Row(
        "a blank side does not follow an inconsistent one",
        standing(A, data=INCONSISTENT),
        standing(B, data=ReplicaData.BLANK),
        Relation.STUCK,
        Amount.NOTHING,
        0,
    ),
    Row(
        "nobody follows or is followed by a failed side",
        primary(A),
        standing(B, data=ReplicaData.FAILED),
        Relation.STUCK,
        Amount.NOTHING,
        0,
    ),
    Row(
        "sides without a shared epoch are strangers",
        primary(A),
        attrs.evolve(standing(B), history=(era(1, 0, B),)),
        Relation.UNRELATED,
        Amount.NOTHING,
        0,
    ),
    Row(
        "an epoch that begins at another LSN is another epoch",
        primary(A),
        attrs.evolve(standing(B), history=(era(1, 1),)),
        Relation.UNRELATED,
        Amount.NOTHING,
        0,
    ),
)
