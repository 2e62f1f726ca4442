"""Rules 50 to 81: refresh, status, machines, failover, failback, tear-down, promises.

Always true: the order is by number, and none is left out.
"""

from __future__ import annotations

from srshell.model.rules.entry import Rule, read_rules

RUNNING_RULES: tuple[Rule, ...] = read_rules("""
R50 D7 H SR5002: Primary and secondary provider are refreshed to finalize the groups.
    by     check_refresh

R51 D7 H SR5001: The refresh triggers the initial replication of data.
    by     check_refresh
    why    No replica is started before both refreshes, so no byte moves before.

R52 D7 H SR5003: A refresh at any other time is harmless.
    by     check_refresh

R53 D8 H SR5004: After the refresh the state of the primary group is Replicating.
    by     check_progress

R54 C H SR6012: Status lists name, role, state and health; exactly one side is primary.
    by     check_roles

R55 - H SR5101: The initial copy is not RPO 0.
    by     health check_failover
    why    The recovery point shown is unknown until the first fence; failover is refused.

R56 D9 H SR9106: Machines are added when delta replication is up and running.
    by     check_add_vm

R57 C H SR9103: A machine is placed on a volume of the primary group.
    by     check_add_vm

R58 D9 H SR9107: A machine on a replicated volume is detected and replicated by itself.
    by     check_add_vm
    why    Whatever writes to the volume is replicated; the machine appears with its group.

R59 D10 H SR6013: Failover requires the Synchronizing state.
    by     check_prepare check_failover
    why    Exact for planned failovers; an unplanned one names the loss it accepts instead.

R60 C H SR6015: A planned failover starts with PrepareForFailover on the primary.
    by     check_failover
    why    Native prepares as the first step of the failover; strict asks for the command.

R61 C H SR6016: Failover is run on the recovery group.
    native not_applicable
    strict enforced
    by     check_failover
    why    Native accepts the name of either group and prints the direction that it resolved.

R62 C H SR6017: PrepareForFailover on a secondary is refused.
    native not_applicable
    strict enforced
    by     check_prepare
    why    Native accepts the name of either group and prints the direction that it resolved.

R63 D10,D11 H SR6018: An unplanned failover needs a primary that is unreachable or fenced.
    native warned
    strict enforced
    by     check_failover
    why    Where the owner can stop the source it fences it first; else it is refused here too.

R64 D10 X SR6019: There is no test failover.
    by     check_failover
    why    A test failover on an overlay is not part of this release, so native refuses it too.

R65 D10 H SR9108: After a failover the source machine, if it still exists, can be deleted.
    native warned
    by     check_add_vm
    why    The article allows it and does not demand it; failing back demands it (R69).

R66 D10 H SR9109: A machine is created at the destination from the replicated data.
    by     check_add_vm
    why    A permission: a machine may be added on the new primary in its first moment.

R67 I H SR6005: Both sides are never writable.
    by     check_failover
    why    Planned: roles change under a seal. Unplanned: the source is fenced, or the loss typed.

R68 I H SR6290: The outage is only the time from primary failure to secondary start.
    by     session
    why    The time is measured in every failover and is in its result.

R69 C,D11 H SR6006: The source machine is removed before failing back.
    by     check_failback

R70 D11 H SR6020: A planned failback follows its order: stop, remove, create, restart, create.
    by     check_failback
    why    The steps of the plan are this order; R69 refuses the one that a person must take.

R71 D11 H SR6021: After an unplanned failover the returned side is in step before failing back.
    native warned
    strict enforced
    by     check_failback
    why    Native brings it in step as the first step of the failback.

R72 C H SR6022: Reversing roles names the target group and mode Synchronous.
    by     check_failback
    why    Both may be left out: the partner is known. What is named has to be right.

R73 D11 H SR6007: Roles are reversed only after a completed failover, both sides reachable.
    by     check_failback

R74 C H SR9109: After failback machines are created at the source from the failed-back data.
    by     check_add_vm
    why    A permission: as rule 66, in the other direction.

R75 C H SR7001: Tear-down is done on source and destination.
    native warned
    by     check_teardown
    why    The command does both sides; with one side only it says what is left to do.

R76 C H SR7002: Tear-down leaves data intact and says at which LSN the copy stands.
    by     session
    why    Replicas are closed and never erased; the LSN is in the result.

R77 C H SR7003: After both tear-downs volumes are ordinary and logs can be used again.
    by     check_group

R78 I H SR5901: Every acknowledged write is durable in both logs.
    by     engine
    why    The decisions emit no acknowledgement before; simulation and process tests try.

R79 I H SR5902: The destination is crash-consistent in sync and during log replay.
    by     engine
    why    Records are applied in the order of the log, without gaps; simulation tests try.

R80 I H SR5903: Replication works on blocks and knows no file system.
    by     engine
    why    No part of the engine reads what blocks mean; tests write random bytes.

R81 D4 H SR5904: As data is updated the source log is appended and changes are sent.
    by     engine
    why    The way of a write is the only one; unit tests follow it step by step.
""")
