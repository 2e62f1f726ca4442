"""Codes of asking, arrays and pools, and volumes (SR0xxx, SR1xxx, SR2xxx).

Always true: the order is by code, and every sentence names the object it speaks of.
"""

from __future__ import annotations

from srshell.model.codes.entry import ErrorCode, read_entries

SETUP_CODES: tuple[ErrorCode, ...] = read_entries("""
SR0001 error: This command cannot be read: {problem}.
    rule  a command is a known word with its own arguments
    why   The word, an option or the number of arguments does not fit. The help of the command
          shows its form; nothing was changed.

SR0002 error: The variable {name} has no value here.
    rule  a variable in a command line has a value
    why   A word that begins with $ stands for a variable of the notebook. Assign it first, or
          write the name itself.

SR0003 error: {text} cannot be a name for a {noun}.
    rule  a name begins with a letter or digit and has at most 64 letters, digits, dots, dashes or
          underscores
    why   Names become file names, NBD exports and words on a command line, so only characters
          that mean the same in all three are accepted, and a look-alike character is refused
          rather than replaced.

SR0004 error: {text} is not a size.
    rule  a size is a number of bytes or a number with K, M, G, T or P, such as 64G or 64GiB
    why   Units are binary: 1K is 1024 bytes. A size is positive, and a whole number of bytes.

SR0005 error: {text} is not a {noun}.
    rule  an argument has one of the values that the command knows
    why   The facts list the values that are known. Nothing was changed.

SR0007 event R17: Every action is a command.
    rule  replication is set up by commands
    why   The original could be set up from PowerShell alone. Here magics, dashboard, Python and
          command line run the same commands, and the dashboard prints the one that it runs.
    mend  srshell info

SR0100 event: The owner of the fabric started.
    rule  one owner serves a fabric
    why   The owner read its catalogue, found the sites and answers commands.

SR0101 error: {command} needs your confirmation: {effect}.
    rule  what loses data, changes roles or ends protection is confirmed by name
    why   Type the name that the line shows: for a role change the group that becomes primary, for
          a tear-down the group that loses its protection, for a resolve the array that loses. The
          same command with --dry-run shows the steps and changes nothing.

SR0103 error R42: {noun} {name} exists already, and differs.
    rule  a name stands for one object
    why   Creating an object again with the same facts succeeds and changes nothing. With other
          facts it is refused, and the facts name the difference.

SR0104 error: {name} is still a placeholder.
    rule  a pasted line has its placeholders filled in
    why   The line holds a word in angle brackets. Put the real value in its place.

SR0105 error: There is no {noun} {name}.
    rule  a command names objects that exist
    why   The facts list the nearest names. Names are compared letter by letter.

SR0106 error: {command} is still running after {seconds} s: no longer waiting for it.
    rule  every wait has an end
    why   The wait ended, the work did not: the owner carries on. `srshell jobs` shows how far it
          is, and --timeout sets another limit.
    mend  srshell jobs

SR0107 error: Job {job} was cancelled.
    rule  a job can be cancelled until it has changed a role
    why   It stopped at a safe point. What it had done before is in its steps.
    mend  srshell jobs

SR0108 error: {option} is not available here.
    rule  an option that cannot be honoured is refused, never ignored
    why   The facts say what is missing. The same command without the option works.

SR0109 error: What the command printed could not be written to the end.
    rule  a command whose output is not whole does not end as if it were
    why   The file or device behind standard output took no more, as a full disk does. What the
          command did is done: `srshell jobs` has each change.
    mend  srshell jobs

SR1001 error R18: {array} is managed by another fabric.
    rule  source and destination storage are managed by the same server
    why   Every pool carries the identity of the fabric that manages it. Two fabrics that write to
          one pool would not know of each other's volumes. Use another directory, or work in the
          fabric that the facts name.
    mend  srshell info

SR1002 error R27: {array} is already paired with {other}.
    rule  an array has one peer
    why   A pair is symmetric and exclusive. Undo the other pair first; its groups must have been
          torn down.
    mend  srshell unpair {array}

SR1003 error R8: {a} and {b} are the same storage.
    rule  storage is not shared between the two sites
    why   A copy in the same place is no copy: what destroys one destroys the other, and a write
          to one would change both. Compared are the directory, the device and inode of files, and
          the device number of block devices.
    mend  srshell identify {where}

SR1004 error R24: The array {array} does not carry the name of its cluster {cluster}.
    rule  the name of an array equals the name of its cluster
    why   The pool was labelled under another name. Rename the array before it is paired.
    mend  srshell rename {array} {cluster}

SR1005 error R4: Replication needs a source and a destination array; {count} is known.
    rule  there are two sets of storage
    why   Discover storage for the second site first.
    mend  srshell discover {where} --as {peer}

SR1006 error R16: You may not operate {array}.
    rule  the operator is administrator on both sides
    why   The site could not open its pool for you, or refused your user. The owner and both sites
          have to run as a user who may read and write the pools.
    mend  srshell identify {where}

SR1007 event R6: {array} and {peer} differ in hardware, which is accepted.
    rule  the underlying hardware of the two sides may differ
    why   Replication compares sizes and block sizes only; a disk array may replicate to a
          directory on a laptop.
    mend  srshell pair {array} {peer}

SR1008 warning: {a} and {b} lie on the same disk: both copies would die together.
    rule  storage is not shared between the two sites
    why   The directories differ, the device below them does not. Good for learning and testing;
          not a protection.
    mend  srshell identify {where}

SR1009 error R25: {array} cannot be renamed while it is paired with {peer}.
    rule  an array is renamed before it is paired
    why   The peer and its groups know the array by its name.
    mend  srshell unpair {array}

SR1010 error R26: {array} is not paired yet.
    rule  arrays are paired before storage is provisioned for replication
    why   Pairing fixes which array holds the copies, so that identical volumes can be made on
          both sides.
    mend  srshell pair {array} {peer}

SR1011 event R28: {array} and {peer} are paired already.
    rule  pairing again changes nothing
    why   A pairing is made once; asking for it again succeeds.
    mend  srshell pair {array} {peer}

SR1012 error: {array} and {peer} cannot be unpaired: groups still replicate between them.
    rule  an array is unpaired after its groups are torn down
    why   Tear the groups down on both sides first; their data stays.
    mend  srshell teardown {group} --confirm {group}

SR1101 error R7: The pool {pool} of {array} cannot be opened.
    rule  each site reaches its own storage
    why   The site process could not read or write its pool. The facts hold the operation and the
          system's answer.
    mend  srshell identify {where}

SR1102 warning: {where} does not honour a flush.
    rule  a device keeps what it has confirmed
    why   A flush came back in no time. A power cut may lose writes that both sides have
          confirmed.
    mend  srshell identify {where}

SR1103 error: {where} is neither a directory nor a block device that can hold a pool.
    rule  a pool is a directory or a block device
    why   File storage lives in a directory, volume storage on a block device or a loop device.
    mend  srshell identify {where}

SR1104 error: The name {name} belongs to another array.
    rule  the name of an array is unique in its fabric
    why   An array with this name was discovered elsewhere. Choose another name, or discover the
          same place again.
    mend  srshell discover {where} --as {free_name}

SR1105 error: The provider of {array} does not answer.
    rule  a command reaches the sites that it changes
    why   The site process of the array is down, held or not reachable. Replication of other
          arrays is not affected.
    mend  srshell restart {array}

SR1106 error R27: {array} cannot be paired with itself.
    rule  an array and its peer are two arrays
    why   A pair has a primary and a recovery array. Name two.
    mend  srshell pair {array} {peer}

SR1107 error R21: The array {array} is unknown.
    rule  storage is discovered before it is used
    why   The fabric knows the arrays that were discovered. The facts list the nearest names.
    mend  srshell discover {where} --as {array}

SR1108 error R22: The pool {pool} is not under management on {array}.
    rule  a pool is taken under management after discovery
    why   The place that is discovered as an array becomes its first pool; further places are
          taken under management one by one. Only managed pools take volumes.
    mend  srshell manage-pool {array}/{pool} {where}

SR1109 error: {engine} is not an engine of this fabric.
    rule  an array is served by an engine that is installed
    why   The native engine replicates files and block devices. Others may follow.
    mend  srshell discover {where} --as {array}

SR1110 error R23: The pool {array}/{pool} has no classification.
    rule  a pool has a classification
    why   A classification is a name for what the storage is good for, such as gold. Volumes are
          placed by it.
    mend  srshell classify {array}/{pool} {classification}

SR1111 error R29: The pool {pool} is not on {array}.
    rule  a pool belongs to the array that is named with it
    why   The facts say where a pool of that name is.
    mend  srshell provision {name} --on {right_array}/{pool} --size {size}

SR2001 error R9: The data volumes {source} and {destination} differ in size.
    rule  source and destination volumes are identical in size
    why   Blocks are copied to the same place on the other side, so each pair of volumes has the
          same size to the byte.
    mend  srshell provision {new_name} --on {array}/{pool} --size {size_bytes} --like {source}

SR2002 error R10: The volumes {source} and {destination} differ in block size.
    rule  source and destination volumes are identical in block size
    why   A write of one block on the source must be a write of whole blocks on the destination.
    mend  srshell provision {new_name} --on {array}/{pool} --size {size_bytes} --like {source}

SR2003 error R11: The log volumes {source} and {destination} differ in size.
    rule  source and destination log volumes are identical in size
    why   Either side may become the source, and needs the same room for its log then.
    mend  srshell provision {new_name} --on {array}/{pool} --size {size_bytes} --log --like
          {source}

SR2004 error: A log volume of {size} is too small.
    rule  a log volume holds its metadata and a ring of at least 8 MiB
    why   Besides the ring the log volume holds the superblock, the bitmaps and the checksum maps
          of its group. The original advises 8 GiB; 64 MiB is the size when none is given.
    mend  srshell provision {name} --on {array}/{pool} --size {minimum} --log

SR2005 error R33: The pool {array}/{pool} has not enough free space.
    rule  a volume fits its pool
    why   The facts say what is needed, what is free and what is missing.
    mend  srshell pools

SR2006 error R5: {a} and {b} are different types of storage.
    rule  source and destination have the same type of storage, file or volume
    why   A directory holds files, a block device holds volumes; each replicates to its own kind.
    mend  srshell identify {where}

SR2007 error: The volume {name} exists already, and differs.
    rule  the name of a volume is unique in its fabric
    why   Provisioning again with the same facts succeeds and changes nothing. With other facts it
          is refused.
    mend  srshell provision {free_name} --on {array}/{pool} --size {size_bytes}

SR2008 error: A size of {size} is not a whole number of blocks.
    rule  the size of a volume is a multiple of its block size
    why   Replication works in blocks of the volume; a part of a block could not be compared.
    mend  srshell provision {name} --on {array}/{pool} --size {rounded}

SR2009 error: Provisioning failed, and what it had made was removed.
    rule  the four volumes are made together or not at all
    why   One of the sites could not make its volume. The facts hold its answer.

SR2010 warning: The disk of the log volume {volume} does not honour a flush.
    rule  a device keeps what it has confirmed
    why   RPO 0 holds against the crash of a process; against a power cut it is only as good as
          the disk.

SR2011 event R34: Volumes are raw blocks: no file system or deduplication of ours writes to them.
    rule  a destination is written by replication alone
    why   The original asks for CSVFS_NTFS with redundancy 1 and without deduplication, so that
          nothing but replication writes. Here a secondary volume is read-only, whatever file
          system its blocks hold.
    mend  srshell volumes

SR2013 event R35: A log volume is used as it is, without partition table or file system.
    rule  a log volume is formatted for its log
    why   The original asks for NTFS on a GUID partition table. Here the log lies on the bare
          volume.
    mend  srshell volumes

SR2014 error: The volume {volume} is in use by {user}.
    rule  a volume is removed after everything that uses it
    why   A group, a virtual machine or an open export still needs the volume.
    mend  srshell group show {group}

SR2015 warning: The log volume {log} is smaller than the 8 GiB that the original advises.
    rule  a log has room for the longest outage it should bridge
    why   The original makes logs of 8 GiB. A smaller one replicates as safely; it only falls back
          to copying blocks earlier after an outage.
    mend  srshell volumes

SR2016 error: The group {group} has more volumes, or longer paths, than its log can describe.
    rule  a group has at most 64 data volumes, and its superblock always has room for them
    why   A superblock has 16 KiB. 64 volumes in one directory always fit, whatever their names and
          the directory's are; those of many directories with long names may not. Make a second
          group for the others, or take pools in directories with shorter names.
    mend  srshell volumes

SR2100 event: The volume {volume} was made.
    rule  a volume is provisioned from a pool
    why   Its blocks read as zeros until they are written.
""")
