"""Role changes and epochs as pure functions from one superblock to the next.

Each function is one durable step: the caller writes the result to disk before it acts on it.  The
engine and the exhaustive search of tests/model use the same functions.

Always true:

(1) A new epoch has a higher number than every epoch in the history and than the promised one.
(2) An era begins at the durable end of the log of the side that begins it, so every frame carries
    the epoch that the history gives for its LSN.
(3) ``alone`` is set together with a new epoch, and cleared only by `in_sync`.
(4) The secondary learns that the primary may ack alone (`fence_stored` keeps the flag) before the
    primary stops, and forgets it (`fence_closed`) only after the primary has stopped.
"""

from __future__ import annotations

import attrs

from srshell.model.replica import Epoch, Era, OnPeerLoss, ReplicaData, ReplicaRole, Superblock

HISTORY_LIMIT = 32
HISTORY_KEPT = 8


class RefusedStep(Exception):
    """The step is not allowed in the replica's present state; nothing was changed."""


def next_epoch(superblock: Superblock, nonce: int) -> Epoch:
    """Return the epoch that this replica would begin now (64-bit ``nonce`` from the caller)."""
    newest = max((era.epoch.number for era in superblock.history), default=0)
    number = max(newest, superblock.promised_epoch) + 1
    return Epoch(number, nonce, superblock.replica)


def begin_era(superblock: Superblock, epoch: Epoch, start_lsn: int) -> Superblock:
    """Append an era.  Raises RefusedStep when the history is full or the epoch is not newer.

    A side's own epoch is no promise: it may have to follow a peer that leads in a lower one.
    """
    history = superblock.history
    if len(history) >= HISTORY_LIMIT:
        history = _joined(history, epoch.creator)
    if len(history) >= HISTORY_LIMIT:
        message = (
            f"the history holds {HISTORY_LIMIT} epochs; it is shortened once both sides are in sync"
        )
        raise RefusedStep(message)
    newest = max((era.epoch.number for era in history), default=0)
    if epoch.number <= max(newest, superblock.promised_epoch - 1):
        raise RefusedStep(f"epoch {epoch.number} is not newer than epoch {newest}")
    return attrs.evolve(superblock, history=(*history, Era(epoch, start_lsn)))


def _joined(history: tuple[Era, ...], creator: str) -> tuple[Era, ...]:
    """Join the two newest eras if this side began both.

    A peer that knows the first of them shares the one before, and is brought in step from there.
    """
    before, last = history[-2:]
    if len(history) <= HISTORY_KEPT or {before.epoch.creator, last.epoch.creator} != {creator}:
        return history
    return (*history[:-2], Era(last.epoch, before.start_lsn))


def go_alone(superblock: Superblock, epoch: Epoch, tail_lsn: int, now_unix: float) -> Superblock:
    """Let the primary acknowledge without its peer; ``tail_lsn`` is the durable end of its log."""
    _require(superblock, ReplicaRole.PRIMARY)
    begun = begin_era(superblock, epoch, tail_lsn)
    return attrs.evolve(
        begun, alone=True, unclean=False, lost_unix=superblock.lost_unix or now_unix
    )


def resume_reign(superblock: Superblock, epoch: Epoch, tail_lsn: int) -> Superblock:
    """Let a primary that crashed lead again after a handshake in its favour, in a new epoch."""
    _require(superblock, ReplicaRole.PRIMARY)
    begun = begin_era(superblock, epoch, tail_lsn)
    return attrs.evolve(begun, unclean=False)


def demote(superblock: Superblock, operation: str, promised_epoch: int) -> Superblock:
    """End the reign of a sealed primary; the promised epoch keeps it from any older one.

    From here on the peer may be promoted, also unplanned, and then acknowledges without this side.
    """
    _require(superblock, ReplicaRole.PRIMARY)
    if superblock.alone:
        raise RefusedStep(
            "a primary that acknowledges alone cannot be demoted in a planned failover"
        )
    # Never promise more than the successor will have: it would be refused for ever.
    newest = max((era.epoch.number for era in superblock.history), default=0)
    promised = max(superblock.promised_epoch, min(promised_epoch, newest + 1))
    return attrs.evolve(
        superblock,
        role=ReplicaRole.SECONDARY,
        unclean=False,
        peer_may_ack_alone=True,
        promised_epoch=promised,
        operation=operation,
    )


def promote(
    superblock: Superblock, epoch: Epoch, tail_lsn: int, operation: str, *, alone: bool
) -> Superblock:
    """Begin the reign of a secondary at its own log's end.

    ``alone`` is True for an unplanned failover: the new primary acknowledges without its peer
    from the first write on.  A side that was given up and is promoted all the same counts again.
    Raises RefusedStep unless the data is consistent.
    """
    if superblock.data is not ReplicaData.CONSISTENT:
        raise RefusedStep(f"the data of this side is {superblock.data.value}")
    begun = begin_era(superblock, epoch, tail_lsn)
    return attrs.evolve(
        begun,
        role=ReplicaRole.PRIMARY,
        alone=alone,
        unclean=False,
        yields=False,
        peer_may_ack_alone=False,
        confirmed_lsn=tail_lsn,
        operation=operation,
        base_lsn=0,
        copy_id="",
        full_copy=False,
        compare=False,
    )


def give_up(superblock: Superblock) -> Superblock:
    """Lose a split brain by a person's word: what this side wrote alone no longer counts.

    ``alone`` stays, so that at the next contact the blocks of those writes are copied over.
    """
    return attrs.evolve(
        superblock,
        role=ReplicaRole.SECONDARY,
        yields=True,
        unclean=False,
        peer_may_ack_alone=True,
    )


def rejoin(
    superblock: Superblock, history: tuple[Era, ...], on_peer_loss: OnPeerLoss
) -> Superblock:
    """Follow the source's history as secondary.

    The tail after the common point is already cut off.  A side that was given up follows whom a
    person chose, also into an older epoch than its own.
    """
    promised = max((era.epoch.number for era in history), default=0)
    if not superblock.yields:
        promised = max(promised, superblock.promised_epoch)
    return attrs.evolve(
        superblock,
        role=ReplicaRole.SECONDARY,
        history=history,
        promised_epoch=promised,
        on_peer_loss=on_peer_loss,
        alone=False,
        unclean=False,
        yields=False,
        lost_unix=0.0,
        peer_may_ack_alone=True,
    )


def begin_copy(superblock: Superblock, base_lsn: int, copy_id: str) -> Superblock:
    """Mark the secondary inconsistent before the first copied block.

    Its log starts anew after the base.
    """
    return attrs.evolve(
        superblock,
        data=ReplicaData.INCONSISTENT,
        base_lsn=base_lsn,
        copy_id=copy_id,
        checkpoint_lsn=base_lsn,
        durable_lsn=base_lsn,
    )


def fence_stored(superblock: Superblock, history: tuple[Era, ...]) -> Superblock:
    """Fence, step 1, secondary: consistent at the fence; the primary may still ack alone."""
    _require(superblock, ReplicaRole.SECONDARY)
    return attrs.evolve(
        superblock,
        data=ReplicaData.CONSISTENT,
        history=history,
        peer_may_ack_alone=True,
        base_lsn=0,
        copy_id="",
    )


def in_sync(superblock: Superblock, history: tuple[Era, ...], confirmed_lsn: int) -> Superblock:
    """Fence, step 2, primary: from now on each acknowledgement needs both sides."""
    _require(superblock, ReplicaRole.PRIMARY)
    return attrs.evolve(
        superblock,
        alone=False,
        unclean=False,
        history=history,
        confirmed_lsn=confirmed_lsn,
        lost_unix=0.0,
        copy_id="",
        compare=False,
        full_copy=False,
    )


def fence_closed(superblock: Superblock) -> Superblock:
    """Fence, step 3, secondary: the primary has stopped acknowledging alone."""
    return attrs.evolve(superblock, peer_may_ack_alone=False)


def shortened(history: tuple[Era, ...]) -> tuple[Era, ...]:
    """Return the newest eras of a history, as both sides agree on at a fence."""
    return history[-HISTORY_KEPT:]


def without_older(superblock: Superblock, theirs: tuple[Era, ...]) -> Superblock:
    """Forget the eras before the newest one that is in the peer's history, too.

    Called when two sides have agreed: there is nobody else who could share an older one.  A few of
    them stay, for people to look at.
    """
    history = superblock.history
    known = set(theirs)
    shared = [index for index, era in enumerate(history) if era in known]
    first = shared[-1] if shared else len(history)
    kept = history[max(0, min(first, len(history) - HISTORY_KEPT)) :]
    return attrs.evolve(superblock, history=kept)


def _require(superblock: Superblock, role: ReplicaRole) -> None:
    if superblock.role is not role:
        raise RefusedStep(f"this side is {superblock.role.value}, not {role.value}")
