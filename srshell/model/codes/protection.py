"""Codes of groups, of enabling protection, and of copying and catching up (SR3xxx, SR4xxx, SR5xxx).

Always true: the order is by code, and every sentence names the object it speaks of.
"""

from __future__ import annotations

from srshell.model.codes.entry import ErrorCode, read_entries

PROTECTION_CODES: tuple[ErrorCode, ...] = read_entries("""
SR3001 error R41: The groups {source} and {destination} are not identical.
    rule  the two groups have equal members: count, order and sizes
    why   The first data volume of one group is copied to the first of the other, and so on.
    mend  srshell group show {destination}

SR3002 error R40: The volume {volume} is already in the group {group}.
    rule  a volume is in one group at most
    why   A group orders the writes of its volumes; two orders for one volume cannot both hold.
    mend  srshell group show {group}

SR3003 error R3: Asynchronous replication is not available.
    rule  only synchronous replication is supported
    why   Every acknowledged write is durable on both sides. A mode that gives this up would have
          to show another recovery point everywhere; it is not part of this release, and never of
          profile seed-strict.
    mend  srshell enable {source} {destination} --mode sync

SR3004 error R20: Consistency groups are not part of profile seed-strict.
    rule  setting write order and consistency groups is not supported
    why   The original does not offer them. Profile native orders the writes of all volumes of a
          group by one sequence, so that a group is always consistent.
    mend  srshell group create {name} --data {data} --log {log}

SR3005 error: {option} is not known to the engine of {array}.
    rule  an option that cannot be honoured is refused, never ignored
    why   The facts name the engine. The same command without the option works.

SR3006 error R30: The group {group} has no log volume.
    rule  each side has a log volume besides its data volumes
    why   A write is acknowledged when it is durable in the log of both sides; without a log there
          is no such moment.
    mend  srshell provision {log} --on {array}/{pool} --size 64M --log

SR3007 error R31: The log volume {log} is not on {array}, where the data volumes are.
    rule  the log volume comes from a pool of the same array
    why   A log that another site holds would be lost with that site.
    mend  srshell provision {new_log} --on {array}/{pool} --size {size_bytes} --log

SR3008 error R36: The log volume {log} is not free: {use}.
    rule  a log volume carries nothing else and serves one group
    why   The whole volume is the log's. Make a new log volume for this group.
    mend  srshell provision {new_log} --on {array}/{pool} --size {size_bytes} --log

SR3009 error R38: A group has at least one data volume and exactly one log volume; {group} would
          not.
    rule  a group has its data volumes and its log volume
    why   Volumes made with --log are log volumes, all others are data volumes.
    mend  srshell volumes

SR3010 error R39: The volumes of {group} are on different arrays.
    rule  all members of a group are on one array
    why   A group fails over as a whole, and its array is its site.
    mend  srshell volumes

SR3012 error R43: The destination group {group} was not created for synchronous replication.
    rule  the destination group is created on its array with mode Synchronous
    why   The destination decides whether it can confirm writes in time.
    mend  srshell group show {group}

SR3013 error: The group {group} is still replicated.
    rule  a group is changed or removed when nothing replicates through it
    why   Tear the partnership down first. Data stays on both sides.
    mend  srshell teardown {group} --confirm {group}

SR3100 event: The group {group} was created.
    rule  a group is made of volumes of one array
    why   It is not protected yet: enable replication to a group of the paired array.

SR4001 error R37: The volume {volume} is not ready: job {job} is still making it.
    rule  volumes that are created in the background are complete before use
    why   Wait for the job; it shows its progress.
    mend  srshell jobs

SR4002 error R49: The destination {volume} is not blank.
    rule  a destination that holds other data is overwritten only on consent
    why   The first copy overwrites every block that differs. If the volume holds an older copy of
          the source, --seeded compares first and sends only what differs; it overwrites as well.
    mend  srshell enable {source} {destination} --confirm {destination}

SR4003 error R44: {source} and {destination} are on the same array {array}.
    rule  source and destination are on two arrays
    why   A copy on the same side protects from nothing.
    mend  srshell groups

SR4004 error R44: The arrays of {source} and {destination} are not paired with each other.
    rule  the arrays of the two groups are paired
    why   Pairing comes before volumes and groups; it fixes which array may hold the copies of
          which.
    mend  srshell pair {array} {peer}

SR4005 error R45: Enabling {source} needs a target group.
    rule  protection names its target group and its mode
    why   Name two groups, source first.
    mend  srshell enable {source} {destination}

SR4006 error R46: The mode {mode} differs from the mode of {destination}.
    rule  the mode equals the mode of the destination group
    why   Both sides must agree on when a write is acknowledged.
    mend  srshell enable {source} {destination} --mode {destination_mode}

SR4007 error R47: The group {group} is already in a partnership with {other}.
    rule  a group is in one partnership at most
    why   Tear the other partnership down first. Data stays on both sides.
    mend  srshell teardown {group} --confirm {group}

SR4008 error R48: The destination {volume} has an open writer.
    rule  nothing but replication writes to the destination
    why   A client that writes while blocks are copied would be overwritten, or would overwrite.
          Close its export.
    mend  srshell nbd {volume} --off

SR4100 event: Protection of {source} by {destination} is enabled.
    rule  protection is enabled between two groups
    why   Nothing is copied yet: refresh both providers to begin.
    mend  srshell refresh --all

SR5001 event R51: The first copy of {source} to {destination} began.
    rule  the refresh starts the first copy
    why   Until it ends the destination cannot take over.
    mend  srshell wait {source} --until Synchronizing

SR5002 warning R50: {group} waits for a refresh of {array}.
    rule  both providers are refreshed to finalize the groups
    why   The first copy begins when the source and the destination have been refreshed after
          protection was enabled.
    mend  srshell refresh {array}

SR5003 event R52: {array} was refreshed; nothing else changed.
    rule  a refresh is harmless at any time
    why   A refresh reads the array, its pools and volumes again.
    mend  srshell refresh {array}

SR5004 error R53: After the refresh {group} is not Replicating.
    rule  after the refresh the primary group is Replicating
    why   The first copy did not begin. The facts show the states that the group went through.
    mend  srshell status {group}

SR5006 warning: The refresh found {what} of {array} changed from outside.
    rule  only srshell changes what it manages
    why   A volume file is missing, has another size, or carries another label than the catalogue
          says.
    mend  srshell volumes

SR5101 warning R55: {group} is being copied and is not protected yet.
    rule  the first copy is not RPO 0
    why   Writes are acknowledged by the source alone until the copy is complete. Failover is
          refused until then.
    mend  srshell wait {group} --until Synchronizing

SR5201 event: {group} is in sync: RPO 0.
    rule  in sync every acknowledged write is in both logs
    why   The destination can take over at any moment, and nothing acknowledged would be lost.
    mend  srshell status {group}

SR5202 event: {group} caught up.
    rule  a side that was away is brought back in step
    why   The facts say how much was sent, and whether it came from the log or from the volumes.

SR5203 warning: {group} catches up by copying blocks; the destination is inconsistent until it
          ends.
    rule  log replay first, then changed blocks, then comparison, then everything
    why   The log no longer holds what the destination missed. While blocks are copied out of
          order the destination cannot take over.
    mend  srshell wait {group} --until Synchronizing

SR5304 warning: The log of {group} is {percent} % full.
    rule  a log has room for the longest outage it should bridge
    why   When it is full, changed blocks are marked in a bitmap instead, and catching up copies
          blocks.
    mend  srshell status {group}

SR5305 warning: The log of {group} no longer holds all that the peer missed.
    rule  a log has room for the longest outage it should bridge
    why   Changed blocks are marked in the bitmap; the peer will be inconsistent while it catches
          up.
    mend  srshell status {group}

SR5306 error: {group} did not reach {state} in {seconds} s.
    rule  every wait has an end
    why   The group goes on; only the waiting ended. The facts hold its state now.
    mend  srshell status {group}

SR5307 error: {group} cannot reach {state} from {current}.
    rule  a wait names a state that can come
    why   The facts say what would have to be done first.
    mend  srshell status {group}

SR5308 error: {group} is not suspended.
    rule  resume follows suspend
    why   Only a group that was suspended, or that waits for its peer, can be resumed.
    mend  srshell status {group}

SR5309 error: {group} cannot be allowed to go on alone while {peer} is unreachable.
    rule  what lets the source acknowledge alone is durable at the destination first
    why   The destination must know whether the source may go on without it, or a later failover
          could not tell what it loses. Resuming alone says so openly.
    mend  srshell resume {group} --alone --accept-loss unknown --confirm {array}

SR5310 error: {group} has not been enabled.
    rule  a group replicates after protection is enabled
    why   The group has no partner yet.
    mend  srshell enable {group} {peer}

SR5901 error R78: {group}: an acknowledged write is missing in a log.
    rule  every acknowledged write is durable in both logs
    why   This would be a defect of srshell. The group is frozen so that nothing more can be lost.
    mend  srshell verify {group}

SR5902 error R79: {group}: the destination is not equal to the source at any moment.
    rule  the destination is crash-consistent in sync and during log replay
    why   This would be a defect of srshell. Records are applied in the order of the log, without
          gaps.
    mend  srshell verify {group}

SR5903 event R80: Replication copies blocks and knows no file system.
    rule  replication is storage-agnostic and works on blocks
    why   What the blocks mean is up to whoever writes them.
    mend  srshell volumes

SR5904 event R81: A write to {group} is appended to its log and sent to the destination.
    rule  as data is updated the source log is appended and the changes go to the destination
    why   The acknowledgement comes when both logs hold the write durably.
    mend  srshell status {group}
""")
