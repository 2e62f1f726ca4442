"""A verification: what is asked for, and what was found.

Always true: blocks are counted once each; a block whose two copies are both wrong counts as wrong
at the source and at the destination.
"""

from __future__ import annotations

import attrs

#: Ranges and sentences that a result names; counts go on beyond them.
RANGES_MAX = 100


@attrs.frozen
class VerifyOrder:
    """Which part of a group is verified, and how; sizes in bytes."""

    volume: int = 0  # index of the volume to begin in
    offset: int = 0  # where in it, a multiple of 4096
    limit_bytes: int = 0  # end after the extent with which so much was looked at; 0: all
    bytes_per_second: float = 0.0  # at most so fast; 0: as fast as it goes
    repair: bool = False  # mend what is proven wrong from the side that is proven right


#: Everything, at once, and nothing is changed.
VERIFY_ALL = VerifyOrder()


@attrs.frozen
class WrongRange:
    """A range (bytes) of a volume that is not as it should be."""

    volume: str
    offset: int
    length: int
    wrong: str  # source, destination, both, unknown, checksum
    proven: bool = False  # the other copy may replace the wrong one
    repaired: bool = False


@attrs.define
class Compared:
    """What a verification found; a part of one if it is not ``done``."""

    lsn: int = 0
    blocks_compared: int = 0
    differing_blocks: int = 0
    wrong_source_blocks: int = 0
    wrong_destination_blocks: int = 0
    undecided_blocks: int = (
        0  # they differ, or contradict a checksum, and nothing says who is right
    )
    contradicted_blocks: int = 0  # of these: both copies are equal, and not what was recorded
    repaired_blocks: int = 0
    ranges: list[WrongRange] = attrs.field(factory=list)  # the first ones
    log_records_compared: int = 0
    log_differences: int = 0
    #: (side, sentence): what is damaged on a log volume.
    damage: list[tuple[str, str]] = attrs.field(factory=list)
    repaired_places: int = 0  # of them
    past_cache: bool = True  # every read surely came from the devices
    next_volume: int = 0  # where to go on
    next_offset: int = 0
    done: bool = False

    @property
    def clean(self) -> bool:
        """Whether both sides are equal and everything is what was recorded of it, now."""
        return self.equal and self.wrong_blocks == 0 and self.damaged_places == 0

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same now: what differed was mended."""
        return self.differing_blocks == self.repaired_blocks and self.log_differences == 0

    @property
    def wrong_blocks(self) -> int:
        """How many blocks are not as they should be now: they differ, or contradict a checksum."""
        return self.differing_blocks + self.contradicted_blocks - self.repaired_blocks

    @property
    def damaged_places(self) -> int:
        """How many places on the log volumes are damaged now."""
        return len(self.damage) - self.repaired_places


def joined(before: Compared, part: Compared) -> Compared:
    """Return what two parts of one verification found together; ``part`` is the later one."""
    return Compared(
        lsn=part.lsn,
        blocks_compared=before.blocks_compared + part.blocks_compared,
        differing_blocks=before.differing_blocks + part.differing_blocks,
        wrong_source_blocks=before.wrong_source_blocks + part.wrong_source_blocks,
        wrong_destination_blocks=before.wrong_destination_blocks + part.wrong_destination_blocks,
        undecided_blocks=before.undecided_blocks + part.undecided_blocks,
        contradicted_blocks=before.contradicted_blocks + part.contradicted_blocks,
        repaired_blocks=before.repaired_blocks + part.repaired_blocks,
        ranges=[*before.ranges, *part.ranges][:RANGES_MAX],
        log_records_compared=before.log_records_compared + part.log_records_compared,
        log_differences=before.log_differences + part.log_differences,
        damage=[*before.damage, *part.damage][:RANGES_MAX],
        repaired_places=before.repaired_places + part.repaired_places,
        past_cache=before.past_cache and part.past_cache,
        next_volume=part.next_volume,
        next_offset=part.next_offset,
        done=part.done,
    )


@attrs.frozen
class VerifyState:
    """What the owner remembers of the verifications of one partnership."""

    partnership: str
    every_seconds: float = 0.0  # how often the owner begins one by itself; 0: never
    #: What was found so far by one that has not ended; None when there is none.
    found: Compared | None = None
    repair: bool = False
    bytes_per_second: float = 0.0
    began_unix: float = 0.0
    #: Of the last one that went to its end.
    last: Compared | None = None
    last_unix: float | None = None
    #: When the owner last tried to begin one.
    tried_unix: float = 0.0
