"""Which side of a block is wrong, from what both sides hold and what each once recorded.

Always true:

(1) A side is *right* if its content has the checksum that it recorded when it wrote the block,
    *wrong* if it has another one or cannot be read, and says nothing if none was recorded.
(2) Only `Wrong.SOURCE` and `Wrong.DESTINATION` with ``proven`` may be repaired: there one side is
    right, the other one wrong, and nothing that the wrong one recorded speaks against the copy.
(3) The judgement is symmetric: with the sides exchanged, the verdict is exchanged.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

#: The checksum of a block that cannot be read; no content has it.
UNREADABLE = 0
#: What a side recorded of a block whose content it never saw.
UNKNOWN = 0
#: What a side recorded of a block that it found corrupt.
CORRUPT = 0xFFFFFFFE


class Wrong(StrEnum):
    """Which copy of a block is wrong."""

    NONE = "none"  # both copies are equal, and no recorded checksum contradicts
    SOURCE = "source"
    DESTINATION = "destination"
    BOTH = "both"  # they differ, and neither is what was written
    UNKNOWN = "unknown"  # they differ, and no checksum says which one is right
    CHECKSUM = "checksum"  # they are equal, and not what was recorded


@attrs.frozen
class Sums:
    """What one side holds of a block, and what it recorded, as checksums."""

    actual: int  # `UNREADABLE` if the device does not return it
    recorded: int  # `UNKNOWN` if the content was never seen

    @property
    def right(self) -> bool | None:
        """Whether the block is what was recorded; None where nothing tells."""
        if self.actual == UNREADABLE:
            return False
        return None if self.recorded == UNKNOWN else self.actual == self.recorded

    def takes(self, right: Sums) -> bool:
        """Tell whether the content of a right copy is what should be here, as far as we know."""
        return right.right is True and self.recorded in (UNKNOWN, CORRUPT, right.actual)


@attrs.frozen
class Judgement:
    """The verdict on a block; ``proven`` if the other side's copy may replace the wrong one."""

    wrong: Wrong
    proven: bool = False


def judge(source: Sums, destination: Sums, *, equal: bool) -> Judgement:
    """Say which side of a block is wrong; ``equal``: both were read and hold the same bytes."""
    ours, theirs = source.right, destination.right
    if equal:
        contradicted = ours is False or theirs is False
        return Judgement(Wrong.CHECKSUM if contradicted else Wrong.NONE)
    if ours is False and theirs is False:
        return Judgement(Wrong.BOTH)
    if ours is False:
        return Judgement(Wrong.SOURCE, proven=source.takes(destination))
    if theirs is False:
        return Judgement(Wrong.DESTINATION, proven=destination.takes(source))
    return Judgement(Wrong.UNKNOWN)
