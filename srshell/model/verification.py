"""A verification: what is asked for, and what was found.

Always true: blocks are counted once each; a block whose two copies are both wrong counts as wrong
at the source and at the destination.
"""

from __future__ import annotations

import attrs


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
    repaired_blocks: int = 0
    ranges: list[WrongRange] = attrs.field(factory=list)  # the first ones
    log_records_compared: int = 0
    log_differences: int = 0
    #: (side, sentence): what is damaged on a log volume.
    damage: list[tuple[str, str]] = attrs.field(factory=list)
    past_cache: bool = True  # every read surely came from the devices
    next_volume: int = 0  # where to go on
    next_offset: int = 0
    done: bool = False

    @property
    def clean(self) -> bool:
        """Whether both sides are equal and everything is what was recorded of it."""
        found = self.differing_blocks + self.undecided_blocks + self.log_differences
        return found == 0 and not self.damage
