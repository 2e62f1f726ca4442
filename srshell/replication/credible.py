"""What a peer may say: ranges, epochs and histories that came over a link, before they are used.

A peer is another process, perhaps of another release, perhaps not ours any more.  Checksums prove
that a message arrived as it was sent, not that it makes sense.

Always true:

(1) What passes here lies inside a volume of the group, and needs no more memory than a message may.
(2) A history that is taken ascends, is no longer than ours may be, and begins at most two eras that
    its sender did not have when it shook hands, each but one number beyond what was known or
    promised.
(3) Everything is refused by `FormatError`, which ends the link and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from srshell.codec.errors import FormatError
from srshell.codec.log_frame import Record
from srshell.codec.messages import PAYLOAD_BYTES_MAX, Hello, Rejoin
from srshell.model.replica import Era, Standing, Superblock, VolumeLayout
from srshell.replication.decide import Amount, Decision
from srshell.replication.reigns import HISTORY_LIMIT

#: Begun by a primary between its Hello and its Rejoin: one after a crash, one to go alone.
_NEW_ERAS_MAX = 2
#: A new epoch is one beyond the newest and the promised one; a promise is one beyond the newest.
_EPOCH_STEP_MAX = 2
#: A peer that was away has had many epochs, but not as many as this.
EPOCHS_AHEAD_MAX = 1 << 20
_NUMBER_MAX = 2**63 - 1


def check_range(layouts: Sequence[VolumeLayout], volume: int, offset: int, length: int) -> None:
    """Refuse a range that is not inside a volume, and one that cannot be held in memory."""
    fits = volume < len(layouts) and 0 < length <= PAYLOAD_BYTES_MAX
    if not fits or offset + length > layouts[volume].size_bytes:
        raise FormatError("length", f"{offset}+{length} of volume {volume} cannot be asked for")


def check_records(layouts: Sequence[VolumeLayout], records: Iterable[Record]) -> None:
    """Refuse records that would change something else than a volume of the group."""
    for record in records:
        fits = record.volume < len(layouts)
        if not fits or record.offset + record.length > layouts[record.volume].size_bytes:
            raise FormatError("length", f"record {record.lsn} lies outside its volume")


def is_for(superblock: Superblock, hello: Hello) -> bool:
    """Whether a peer is the one that this replica has, and means this replica."""
    expected = (superblock.partnership, superblock.peer, superblock.replica)
    return (hello.partnership, hello.replica, hello.peer) == expected


def check_hello(superblock: Superblock, hello: Hello) -> None:
    """Refuse a standing that no replica can have."""
    standing = hello.standing
    check_history(standing.history)
    numbers = (standing.tail_lsn, standing.log_first_lsn, standing.acked_alone_lsn)
    if not all(0 <= number <= _NUMBER_MAX for number in (*numbers, standing.base_lsn)):
        raise FormatError("order", f"LSNs {numbers} cannot be")
    known = max(_newest(superblock.history), superblock.promised_epoch)
    if _newest(standing.history) > known + EPOCHS_AHEAD_MAX:
        raise FormatError(
            "order", f"epoch {_newest(standing.history)} is too far beyond epoch {known}"
        )


def check_rejoin(rejoin: Rejoin, theirs: Standing, decision: Decision) -> None:
    """Refuse an order to follow that is not what both sides decided."""
    check_history(rejoin.history)
    known = set(theirs.history)
    fresh = [era for era in rejoin.history if era not in known]
    behind = rejoin.history[len(rejoin.history) - len(fresh) :]
    if len(fresh) > _NEW_ERAS_MAX or tuple(fresh) != behind:
        raise FormatError("order", f"{len(fresh)} eras are not in the history that was shown")
    number = _newest(theirs.history)
    for era in fresh:
        if era.epoch.number > number + _EPOCH_STEP_MAX:
            raise FormatError("order", f"epoch {era.epoch.number} comes after epoch {number}")
        number = era.epoch.number
    copies = decision.amount in {Amount.BITMAP, Amount.CHECKSUM, Amount.FULL}
    if rejoin.copy != copies:
        raise FormatError("order", f"a copy is {rejoin.copy}, the verdict is {decision.amount}")
    if rejoin.truncate_lsn != (rejoin.base_lsn if copies else decision.common_lsn):
        raise FormatError("order", f"a cut at {rejoin.truncate_lsn} was not decided")


def check_fence(history: tuple[Era, ...], ours: tuple[Era, ...]) -> None:
    """Refuse a fence whose history is not the newer part of the one that is followed."""
    if not history or history != ours[-len(history) :]:
        raise FormatError("identity", "the history of the fence is not the one that is followed")


def check_epoch(epoch: int, ours: tuple[Era, ...]) -> None:
    """Refuse records of an epoch that is not the one that is followed."""
    if not any(era.epoch.number == epoch for era in ours):
        raise FormatError("identity", f"records of epoch {epoch}, which is not followed")


def check_history(history: tuple[Era, ...]) -> None:
    """Refuse a history that cannot be: too long, or epochs whose numbers go back.

    Starts may go back: a side that is promoted while it catches up begins its era before the newest
    one that it knew of.
    """
    if len(history) > HISTORY_LIMIT:
        raise FormatError("length", f"a history of {len(history)} epochs")
    for era in history:
        if not (0 < era.epoch.number <= _NUMBER_MAX and 0 <= era.start_lsn <= _NUMBER_MAX):
            raise FormatError("order", f"epoch {era.epoch.number} from LSN {era.start_lsn}")
    for before, after in pairwise(history):
        if after.epoch.number <= before.epoch.number:
            raise FormatError("order", f"epoch {after.epoch.number} after {before.epoch.number}")


def _newest(history: tuple[Era, ...]) -> int:
    return max((era.epoch.number for era in history), default=0)
