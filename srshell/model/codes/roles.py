"""Codes of failover and failback, of tear-down and of verification (SR6xxx, SR7xxx).

Always true: the order is by code, and every sentence names the object it speaks of.
"""

from __future__ import annotations

from srshell.model.codes.entry import ErrorCode, read_entries

ROLE_CODES: tuple[ErrorCode, ...] = read_entries("""
SR6001 error R59: {group} cannot fail over: the first copy is not complete.
    rule  no role change during the first copy
    why   The destination holds blocks of different moments. Wait until the group is
          Synchronizing.
    mend  srshell wait {group} --until Synchronizing

SR6002 error: The two sides of {group} do not agree about its state.
    rule  both sides report the same partnership, roles and epoch
    why   One of them may be about to learn of a role change. Look again in a moment.
    mend  srshell status {group}

SR6003 error: {group} cannot fail over as planned: {array} is not reachable.
    rule  a planned failover needs both sides
    why   The old primary has to stop writing and confirm it. If it is gone for good, fail over
          unplanned.
    mend  srshell failover {group} --unplanned --confirm {target}

SR6004 error: Acknowledged writes could be lost by this failover of {group}.
    rule  a failover that may lose writes names the loss that it accepts
    why   The old primary may have acknowledged writes without its peer. The facts say how much is
          known. Accepting the loss permits the promotion and nothing else: nothing on the old
          primary is discarded.
    mend  srshell failover {group} --unplanned --accept-loss {loss} --confirm {target}

SR6005 error R67: {group} is split: both sides hold acknowledged writes that the other lacks.
    rule  both sides are never writable; what diverged is never merged
    why   A person chooses the side to keep. The blocks that the other side wrote are saved as a
          branch first.
    mend  srshell resolve {group} --keep {array} --confirm {other}

SR6006 error R69: The virtual machine {vm} still exists at {array}.
    rule  the source machine is removed before failing back
    why   You cannot fail back to the same machine: after the failback it is created anew from the
          replicated data.
    mend  srshell vm rm {vm}

SR6007 error R73: There is nothing to fail back: {group} is primary already.
    rule  roles are reversed after a completed failover, with the other side reachable
    why   The group is on the side on which it was enabled.
    mend  srshell status {group}

SR6008 error: The log of {group} at {array} cannot be replayed.
    rule  a promoted side has replayed its log
    why   The facts hold the position of the first record that could not be read.
    mend  srshell status {group}

SR6009 error: {group} is being changed by {holder}.
    rule  one role change at a time
    why   A role change holds its group until it ends. It can be watched.
    mend  srshell jobs

SR6010 error: The plan for {group} is out of date.
    rule  a plan is carried out against the state that it was made for
    why   The group has changed since. Make the plan again; nothing was done.
    mend  srshell failover {group} --planned --dry-run

SR6012 error R54: Both sides of {group} are primary.
    rule  exactly one side is primary
    why   Only one of them can have the higher epoch; the other turns read-only as soon as the
          link returns.
    mend  srshell status {group}

SR6013 error R59: {group} cannot fail over: it is {state}.
    rule  failover needs the Synchronizing state
    why   In every other state the destination may lack writes. The facts say what is missing.
    mend  srshell wait {group} --until Synchronizing

SR6015 error R60: {group} has not been prepared for failover.
    rule  a planned failover starts with PrepareForFailover on the primary
    why   Preparing drains the source and seals both logs at one LSN. Profile native does it as
          the first step of a planned failover; seed-strict asks for it as a command of its own.
    mend  srshell prepare {group}

SR6016 error R61: Failover names the recovery group {target}, not {group}.
    rule  failover is run on the recovery group
    why   Profile native accepts either name and prints the direction; seed-strict does as the
          original does.
    mend  srshell failover {target} --planned --confirm {target}

SR6017 error R62: {group} is secondary and cannot be prepared.
    rule  PrepareForFailover is run on the primary
    why   Profile native accepts either name and prints the direction; seed-strict does as the
          original does.
    mend  srshell prepare {primary}

SR6018 error R63: {primary} still answers: an unplanned failover is for a primary that does not.
    rule  an unplanned failover needs a primary that is unreachable or fenced
    why   Where the owner can stop the source process itself it does so first, and reads what the
          source has acknowledged. Where it cannot, a living primary must be failed over as
          planned.
    mend  srshell failover {group} --planned --confirm {target}

SR6019 error R64: There is no test failover here.
    rule  there is no test failover mechanism
    why   The plan of a planned failover shows its steps and checks, and changes nothing.
    mend  srshell failover {group} --planned --dry-run

SR6020 error R70: {group} is prepared for failover.
    rule  a prepared group is failed over or resumed
    why   The source is sealed and takes no writes. Finish the failover, or resume to take the
          seal away.
    mend  srshell resume {group}

SR6021 error R71: {group} cannot fail back: {array} is not in step yet.
    rule  the returned side is in step before roles are reversed
    why   Profile native brings it in step by itself; seed-strict waits for the Synchronizing
          state.
    mend  srshell wait {group} --until Synchronizing

SR6022 error R72: {target} is not the partner of {group}.
    rule  reversing roles names the target group and mode Synchronous
    why   Both are optional here: the partner is known, and the mode is always synchronous.
    mend  srshell failback {group} --confirm {group}

SR6023 error: {group} is not split: there is nothing to resolve.
    rule  a split brain is resolved when there is one
    why   Both sides agree on their history.
    mend  srshell status {group}

SR6024 error: The blocks that {array} would lose do not fit beside its volume.
    rule  nothing is discarded before it is saved
    why   The volumes of the losing side are kept as a branch, whole, before anything is copied
          over them. The facts say how much room that needs; nothing has changed. Make room in the
          pool, for example by removing an older branch, and resolve again.
    mend  srshell branches

SR6025 error: The history of {group} is full; its role cannot change now.
    rule  the history of epochs is trimmed by both sides together, in sync
    why   It filled because the group changed sides again and again without being in sync once.
          Bring it in sync; the history becomes short again. A side that has lost its peer for good
          is set free with its data by a tear-down of this side only.
    mend  srshell wait {group} --until Synchronizing

SR6026 error R59: {array} cannot take over {group}: its data is {data}.
    rule  a side takes over with data that is equal to the source at some moment
    why   Blocks of different moments, blank volumes or a failed disk are no basis to go on from.
    mend  srshell status {group}

SR6027 error: The branch {branch} cannot be read.
    rule  a branch is its images and a description
    why   The description is damaged or names files that are not there. Nothing of it is removed by
          itself; the images beside it are raw copies of the volumes.
    mend  srshell branches

SR6028 error: The branch {branch} is being read.
    rule  a branch is not removed under its readers
    why   An NBD client has it open. Take the export away first.
    mend  srshell branch export {branch} --off

SR6029 error: {group} does not wait for its peer: it cannot go on alone.
    rule  resume --alone is for a side that its peer has left waiting
    why   While the peer follows, an acknowledged write is on both sides, and nothing keeps this
          side from taking writes. To pause replication, suspend the group.
    mend  srshell suspend {group}

SR6100 event: A {kind} failover of {source} to {target} began.
    rule  a role change is a journalled list of steps
    why   The job shows its steps.

SR6150 event: {group} was drained and sealed at LSN {lsn}.
    rule  a prepared group takes no more writes
    why   Both logs end at the same record.

SR6190 event: {group} became secondary.
    rule  the old primary gives up its role before the new one takes it
    why   Its volumes are read-only.

SR6200 event: {group} became primary in epoch {epoch}.
    rule  a new primary begins a new epoch
    why   Its volumes are writable.

SR6290 event R68: The failover to {target} ended after {seconds} s.
    rule  the outage lasts from the end of the old primary to the start of the new one
    why   The time without writes and the writes lost are in the result of the job.
    mend  srshell jobs

SR6301 event: The volumes of {array} were saved as branch {branch}.
    rule  nothing is discarded before it is saved
    why   They can be listed, exported read-only and removed. The branch is kept until its day.

SR6302 event: The branch {branch} was removed.
    rule  a branch ends when a person removes it, or after its day
    why   A person named it.

SR6303 event: The branch {branch} has expired and was removed.
    rule  a branch ends when a person removes it, or after its day
    why   Its last day, which `srshell branches` had shown, is over, and nobody was reading it.

SR7001 warning R75: {group} was torn down; {peer} waits for its own tear-down.
    rule  tear-down is done on both groups
    why   One side is free. The other keeps its partnership until it is torn down as well.
    mend  srshell teardown {peer} --confirm {peer}

SR7002 event R76: {group} ended its copy at LSN {lsn}.
    rule  a tear-down leaves data intact and says where the copy stands
    why   The volumes hold every record up to that LSN.
    mend  srshell volumes

SR7003 error R77: The log volume {log} still carries the metadata of {group}.
    rule  after both tear-downs the volumes are ordinary and the logs free
    why   The log belongs to a partnership that was not torn down on this side.
    mend  srshell teardown {group} --confirm {group} --this-side-only

SR7004 error: {group} cannot be torn down while a failover is under way.
    rule  a role change is finished or taken back before a tear-down
    why   The sealed source would stay read-only.
    mend  srshell resume {group}

SR7005 warning: The machine {vm} goes on without protection.
    rule  a machine is protected by the group of its volume
    why   Its volume stays as it is and can be written; nothing is replicated any more.
    mend  srshell vm rm {vm}

SR7100 event: {group} is torn down on both sides.
    rule  after both tear-downs the volumes are ordinary and the logs free
    why   Both sides keep their data.

SR7701 event: {group} was verified: both sides are equal.
    rule  equal sides have equal blocks
    why   Every block was compared, and is what was recorded when it was written.

SR7702 error: {group} has wrong blocks: {blocks}.
    rule  in sync both sides are equal, and hold what was written
    why   Blocks differ, or are equal and not what was recorded: a disk returned other bytes than
          it took, or something wrote beside replication. The facts name the first one. Mended is
          what one side can prove; the rest is reported and never touched.
    mend  srshell verify {group} --repair

SR7703 error: {group} cannot be verified now: it is {state}.
    rule  sides are compared at a moment when they should be equal
    why   Verification needs both sides in sync. One that was begun goes on where it ended.
    mend  srshell wait {group} --until Synchronizing

SR7704 warning: The log volumes of {group} have damaged places: {count}.
    rule  what is on a log volume can be read
    why   A superblock slot, a page of a map or a frame of the log does not have its checksum any
          more. Memory still knows what is true: mended from there, nothing is lost. A site that
          ends before may not open again.
    mend  srshell verify {group} --repair

SR7705 event: Blocks of {group} were repaired: {blocks}.
    rule  a wrong block is replaced only from the side that is proven right
    why   One side had the block as it was recorded, the other one had not. It was written again,
          synced, and read back past the page cache.

SR7706 warning: The verification of {group} is overdue.
    rule  a group that is to be verified by itself is verified in time
    why   Nobody knows whether the copies are still good. The group was not in sync when it was
          due, or the owner did not run.
    mend  srshell verify {group}
""")
