"""Codes of network and environment, of processes, files and machines (SR8xxx, SR9xxx).

Always true: the order is by code, and every sentence names the object it speaks of.
"""

from __future__ import annotations

from srshell.model.codes.entry import ErrorCode, read_entries

MACHINE_CODES: tuple[ErrorCode, ...] = read_entries("""
SR8001 error R15: {array} cannot reach {peer}.
    rule  the sites reach each other in both directions
    why   The original needs ICMP and the ports 445, 5445 and 5985. Here one address per site
          carries replication; the facts say which did not answer, seen from where.
    mend  srshell restart {peer}

SR8002 warning: The round trip between {array} and {peer} takes {milliseconds} ms.
    rule  a round trip of at most 5 ms is advised for synchronous replication
    why   Every acknowledged write waits for one round trip.
    mend  srshell info

SR8003 warning R13: The link between {array} and {peer} carries less than 1 Gbit/s.
    rule  each storage server has at least one 1 GbE connection
    why   Copies take longer, and writes wait when they come faster than the link.
    mend  srshell info

SR8004 warning: The link between {array} and {peer} is down.
    rule  the sites reach each other in both directions
    why   The policy of each group says what its writes do meanwhile.
    mend  srshell status

SR8005 warning R14: The link between {array} and {peer} carries less than 10 Gbit/s.
    rule  10 GbE, iWARP or InfiniBand is preferred
    why   Advice only.
    mend  srshell info

SR8006 error R19: The provider {engine} is not available.
    rule  integration with Azure Site Recovery is not supported
    why   Replication goes between two arrays of one fabric.
    mend  srshell discover {where} --as {array}

SR8007 error: The certificates in {directory} cannot be used.
    rule  over TLS both sides prove who they are by certificates that one authority signed
    why   The facts hold the answer of the system. The names are those that qemu and libnbd use.
    mend  srshell explain SR8007

SR8008 error: Nobody would have to prove who they are at {address}.
    rule  beyond this machine NBD is served over TLS, with certificates on both sides
    why   Whoever reaches the address could read and write {volume}. `srshell gateway {volume}
          --listen {address} --tls DIR` asks for certificates; docs/nbd.md says which.
    mend  srshell nbd {volume}

SR8009 error: {address} is no address to listen on.
    rule  a gateway listens at HOST:PORT of this machine
    why   The facts say what is wrong with it.
    mend  srshell explain SR8009

SR8010 warning: The clocks of {array} and {peer} differ by {seconds} s.
    rule  clocks that agree make journals readable
    why   Only displays and journals use clocks; the order of writes does not.
    mend  srshell info

SR8011 event R1: No edition of a management server is needed.
    rule  the management server runs the Datacenter edition
    why   The original is bound to System Center 2016 Datacenter. srshell has no editions.
    mend  srshell info

SR8012 event R2: No edition of an operating system is needed.
    rule  hosts run Windows Server 2016 Datacenter, Server Core or Nano with Hyper-V
    why   The original is bound to its operating system. srshell needs Linux and Python 3.11 or
          newer.
    mend  srshell info

SR9001 error: No owner serves the fabric {fabric}.
    rule  one owner serves a fabric
    why   The owner was stopped, or could not start. The next command starts one; `srshell serve`
          shows why it cannot.
    mend  srshell serve

SR9002 error: This client and the owner of the fabric speak different versions.
    rule  client and owner have the same version of the control protocol
    why   The facts name both. Stop the owner and start it with the version that you use;
          replication goes on.
    mend  srshell stop

SR9003 error: This session is read-only.
    rule  a read-only session changes nothing
    why   It was attached for watching. Attach again without read-only.

SR9004 event: A lock left by a dead owner was taken over.
    rule  one owner serves a fabric
    why   The process that held it no longer lives.

SR9005 error: The fabric {fabric} has an owner already.
    rule  one owner serves a fabric
    why   Two owners would give contradicting orders. Commands reach the owner that runs.
    mend  srshell info

SR9006 error: The fabric directory {fabric} cannot be used.
    rule  a fabric lives in a directory that its owner may write
    why   The facts hold the operation and the system's answer.

SR9007 error: {array} follows an owner of a later term.
    rule  sites follow the owner with the highest term
    why   Another owner has taken over since. This one must end.
    mend  srshell info

SR9008 error: You are not the user who owns this fabric.
    rule  the control socket serves its own user, and those whom it gave a role
    why   The kernel told who asked. The owner's user can give roles in access.toml or with
          `srshell serve --viewer-group`; docs/security.md says how.
    mend  srshell explain SR9008

SR9009 error: {file} cannot say who may use this fabric.
    rule  files that give roles belong to the fabric's user, and nobody else can change them
    why   The facts say what is wrong. Nobody was given a role, and the owner did not start.
    mend  srshell explain SR9009

SR9010 error: {command} is for the role {needed}.
    rule  a viewer looks, an operator does what neither sets up nor destroys, an admin all
    why   The facts name your role. The fabric's own user is admin; docs/commands.md names the
          role that each command needs.
    mend  srshell info

SR9011 error: A replay shows the past and acts on nothing.
    rule  what is shown of the past is not the present
    why   The fabric is as it is now, whatever the screen shows. Leave the replay to ask or act.
    mend  srshell status

SR9101 warning: The volume {volume} is in no group: what {vm} writes is not replicated.
    rule  a machine is protected by the group of its volume
    why   Put the volume into a group and enable replication.
    mend  srshell group create {group} --data {volume} --log {log}

SR9102 error: No program for machines of kind {kind} was found.
    rule  a machine is run by a program that is installed
    why   Any NBD client can use the volume meanwhile.
    mend  srshell nbd {volume}

SR9103 error R57: The volume {volume} is on the secondary side and read-only.
    rule  a machine is placed on a volume of the primary group
    why   Only the primary side takes writes. The facts name the volume of the primary group.
    mend  srshell vm add {vm} --volume {primary_volume}

SR9104 event: The machine {vm} was stopped at {array}.
    rule  a machine runs where its volume is writable
    why   Its writes up to here are replicated.

SR9105 event: The machine {vm} was started at {array}.
    rule  a machine runs where its volume is writable
    why   It writes to a replicated volume.

SR9106 error R56: {group} is {state}: machines are added when delta replication is running.
    rule  machines are added when delta replication is up and running
    why   Until then what a machine writes is not protected.
    mend  srshell wait {group} --until Synchronizing

SR9107 event R58: The machine {vm} is replicated with {group}.
    rule  a machine on a replicated volume is detected and replicated by itself
    why   Its data is in the volume; no further step is needed.
    mend  srshell group show {group}

SR9108 warning R65: The machine {vm} is still registered at {array}, which is no longer primary.
    rule  after a failover the source machine can be deleted
    why   It cannot write there. It has to be removed before failing back.
    mend  srshell vm rm {vm}

SR9109 event R66: The machine {vm} was created from the replicated data of {volume}.
    rule  after a failover a machine is created at the destination from the replicated data
    why   It continues where the replicated data ends.
    mend  srshell vm add {vm} --volume {volume}

SR9110 error: The machine {vm} found {problem} in {volume}.
    rule  a machine reads back what it wrote
    why   The records of the machine carry sequence numbers and checksums; the facts name the
          first that is wrong.
    mend  srshell verify {group}

SR9111 error: The image {file} cannot be written to {volume}.
    rule  a template is one whole disk image, raw or qcow2, that fits a volume without data
    why   The facts say what is in the way. Nothing was written over.
    mend  srshell volumes

SR9112 error: The machine {vm} does not start on {volume}.
    rule  a machine runs once its program says so
    why   The facts hold the last word of the program. The machine is not in the list of machines
          unless it was there before; its definition and its data are as they were.
    mend  srshell nbd {volume}

SR9113 error: The volume {volume} is secondary, and not shown in this profile.
    rule  in profile seed-strict nobody reaches a volume of the destination
    why   The original dismounts it. Profile native shows it read-only.
    mend  srshell nbd {primary_volume}

SR9201 error: The catalogue of the fabric {fabric} is damaged.
    rule  the catalogue is a whole database
    why   Sites hold the truth about replication; the catalogue can be rebuilt from the labels in
          their pools. The damaged file was left as it is.
    mend  srshell serve --rebuild

SR9202 error: The catalogue of the fabric {fabric} comes from a later version of srshell.
    rule  a file is opened by a version that knows it
    why   Nothing was changed. Use the version that wrote it, or a later one.

SR9210 error: The superblock of {group} at {array} cannot be read.
    rule  at least one copy of the superblock is whole
    why   All four copies are damaged or belong to another group. The other side still has its
          own.
    mend  srshell status {group}

SR9211 error: The log of {group} at {array} is damaged.
    rule  a log is never shortened silently
    why   A record that was known to be durable cannot be read. The side is stopped so that the
          loss stays visible; the other side can take over.
    mend  srshell status {group}

SR9212 error: {file} was written by a later version of srshell.
    rule  a file is opened by a version that knows it
    why   Nothing was changed. Use the version that wrote it, or a later one.

SR9213 error: The log does not hold LSN {lsn} of {group} any more.
    rule  a prefix is rebuilt from every record since the images were taken
    why   The log ring has written over it, or the older copy belongs to another log. Take images
          and a copy of the log together, and the second copy of the log before the ring is full.

SR9220 error: {operation} on {file} failed.
    rule  a failed write or sync is never repeated
    why   After an error nobody can know what reached the disk. The side that met it stops; the
          other can take over.
    mend  srshell status

SR9221 error: {file} is in use by another process.
    rule  a volume is opened by one process
    why   A second writer would destroy what the first one wrote.
    mend  srshell info

SR9222 error: {file} is not a readable regular file or block device.
    rule  an image is a regular file or a block device that you may read
    why   The facts hold the system's answer.

SR9223 error: {offset} + {length} bytes lie outside {volume}, or not on its blocks.
    rule  reads and writes lie inside their volume
    why   The facts hold its size and block size.
    mend  srshell volumes

SR9224 error: {volume} takes no writes now: {reason}.
    rule  only the primary side takes writes, and only while its policy lets it
    why   The write was not carried out.
    mend  srshell status {group}

SR9225 error: Whether the write to {volume} was carried out is unknown.
    rule  a write without an answer may or may not be there
    why   The side that took it failed before both logs had confirmed it. Read the range to see.
    mend  srshell status {group}

SR9301 error: The site of {array} is down.
    rule  an array is served by its site process
    why   The owner starts it again, unless it is held.
    mend  srshell restart {array}

SR9302 error: The site of {array} is held.
    rule  a site that was taken down on purpose stays down
    why   An unplanned failover or a fault put it to rest. Restarting releases it.
    mend  srshell restart {array}

SR9303 event: The site of {array} was started.
    rule  an array is served by its site process
    why   It read its pools and its replicas.

SR9801 error: {file} is not written as a lab is.
    rule  a lab is a title, goal, minutes, a story, numbered tasks, and a desk that checks them
    why   The facts say where it differs. `srshell lab new` makes one to begin with.
    mend  srshell lab new mine

SR9802 error: No lab has been begun.
    rule  tasks, checks and hints belong to the lab that was begun last
    why   A lab is begun with `srshell lab start NUMBER`; that makes its sandbox.
    mend  srshell lab list

SR9803 error: The answer key of lab {lab} is not here.
    rule  answer keys are kept apart from what students get
    why   They are in the source tree, not in the package.
    mend  srshell lab list

SR9804 error: The notebook {file} cannot be run again.
    rule  a grade is what a student's notebook reaches when it is run again under other seeds
    why   The facts say what stopped it.
    mend  srshell lab list

SR9900 event: A fault was injected: {fault}.
    rule  faults are injected in sandboxes
    why   Somebody asked for it with `srshell fault`.

SR9901 error: Faults are for sandboxes, and {fabric} is none.
    rule  faults are injected in sandboxes
    why   A fabric is a sandbox when it was made as one, as `srshell demo` does.
    mend  srshell demo

SR9999 error: This should not have happened: {problem}.
    rule  a defect of srshell is shown, not hidden
    why   Nothing is known to be lost, but the command did not end as it should. The owner's log
          holds the details.
    mend  srshell events
""")
