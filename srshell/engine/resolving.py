"""Lose a split brain by a person's word: save this side as a branch, then follow the other one.

Always true:

(1) Nothing changes before the branch is durable: if it cannot be saved, this side goes on as it
    was, and writes that waited meanwhile are taken.
(2) What this side wrote is marked durably before it yields, so that the other side's blocks are
    copied over all of it.
(3) Locks are taken in this order: linking, transition, frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srshell.engine.branch import Saving, save_branch, saved_branch
from srshell.model.branch import DAY_SECONDS, KEEP_DAYS, Branch
from srshell.model.errors import SrError
from srshell.replication import reigns

if TYPE_CHECKING:
    from srshell.engine.replica import Replica

KEEP_SECONDS = float(KEEP_DAYS * DAY_SECONDS)


async def give_up(
    replica: Replica, branch_directory: str, keep_seconds: float = KEEP_SECONDS
) -> Branch:
    """Save this side's volumes as a branch, then yield to the other side.

    Asked again after it was done, it returns the same branch.  Raises SrError SR6023 (not split),
    SR6024 (the branch does not fit), SR9220 (a disk failed).
    """
    core, link = replica.core, replica.peer_link
    if link.split is None and not core.superblock.yields:
        raise SrError.make("SR6023", group=core.superblock.group)
    link.give_up_handshake()
    async with link.linking:
        await link.close("this side gives up its branch")
        async with core.transition, core.frames:
            if core.superblock.yields:
                done = await saved_branch(core, branch_directory)
                if done is not None:
                    return done
            if link.split is None:
                raise SrError.make("SR6023", group=core.superblock.group)
            await replica.applier.settle()
            from_lsn = link.split.from_lsn
            for frame in core.ring.frames:
                if frame.last_lsn > from_lsn:
                    core.dirty.mark_extents(frame.extents)
            await core.write_dirty_pages()
            saving = Saving(branch_directory, link.split, link.peer_split, keep_seconds)
            branch = await save_branch(core, saving)
            await core.persist(reigns.give_up)
            core.source = None
            await replica.step_down_after_demotion(core.committed_lsn)
        link.split = link.peer_split = None
    link.nudge()
    core.tell("state", f"gave up what it wrote after LSN {from_lsn}: branch {branch.name}")
    return branch
