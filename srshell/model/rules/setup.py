"""Rules 1 to 49: environment, discovery, pairing, provisioning, groups, enabling.

Always true: the order is by number, and none is left out.
"""

from __future__ import annotations

from srshell.model.rules.entry import Rule, read_rules

SETUP_RULES: tuple[Rule, ...] = read_rules("""
R1 B L SR8011: The management server runs System Center 2016 Datacenter Edition.
    native not_applicable
    why    srshell has no editions; the fabric runs wherever Python does.

R2 B L SR8012: Hosts run Windows Server 2016 Datacenter, Server Core or Nano with Hyper-V.
    native not_applicable
    why    srshell runs on Linux; interpreter and libraries are checked at installation.

R3 B X SR3003: Only synchronous replication is supported.
    by     check_group check_enable
    why    Asynchronous mode is not part of this release, so native refuses it too.

R4 B H SR1005: There are two sets of storage, a source and a destination.
    by     check_pair

R5 B H SR2006: Both sets have the same type of storage, file or volume.
    by     check_pair check_enable

R6 B H SR1007: The underlying hardware of the two sets may differ.
    by     check_pair
    why    A permission: a test proves that different hardware is not refused.

R7 B H SR1101: Each site reaches its own storage.
    by     check_discover check_provision check_enable check_refresh

R8 B H SR1003: Storage is not shared between the two sites.
    by     check_discover check_pair check_enable

R9 B,D4 H SR2001: Source and destination data volumes are identical in size, to the byte.
    by     check_enable

R10 B H SR2002: Source and destination data volumes are identical in block size.
    by     check_provision check_enable

R11 B,D4 H SR2003: Source and destination log volumes are identical in size.
    by     check_enable

R12 B H SR2002: Source and destination log volumes are identical in block size.
    by     check_provision check_enable

R13 B L SR8003: Each storage server has at least one 1 GbE connection.
    native warned
    strict enforced
    by     check_pair
    why    A slow link makes writes slower, not less safe; only the strict profile refuses it.

R14 B L SR8005: A 10 GbE, iWARP or InfiniBand connection is preferred.
    native warned
    by     check_pair
    why    The article prefers it and does not demand it.

R15 B L/H SR8001: The sites reach each other in both directions.
    by     check_pair check_enable
    why    Ports 445, 5445 and 5985 belong to the original; checked is srshell's own link address.

R16 B H SR1006: The operator is administrator on both sides.
    by     check_discover check_pair check_provision check_enable

R17 B X SR0007: Replication is set up by command, not by the graphical console.
    native not_applicable
    why    Every surface runs the same commands, so whatever is done is done by command.

R18 B,D2 H SR1001: Source and destination storage are managed by the same server.
    by     check_discover check_manage_pool check_pair

R19 B L SR8006: Integration with Azure Site Recovery is not supported.
    by     check_discover

R20 B X SR3004: Setting write order and consistency groups is not supported.
    native not_applicable
    strict enforced
    by     check_group
    why    Native orders the writes of a group by one sequence; only the strict profile refuses.

R21 D2 H SR1107: Storage is discovered before it is used.
    by     check_pair check_provision check_classify check_rename check_refresh

R22 D2 H SR1108: A pool is created, or taken under management, after discovery.
    by     check_provision check_classify

R23 D2 H SR1110: A pool has a classification.
    by     check_provision

R24 C H SR1004: The name of an array equals the name of its cluster.
    by     check_pair

R25 C H SR1009: An array is renamed before it is paired.
    by     check_rename

R26 D3 H SR1010: Arrays are paired before storage is provisioned for replication.
    by     check_provision

R27 C H SR1106: The peer is named, exists, is another array, and has no other peer.
    by     check_pair

R28 C H SR1011: Repeating the pairing changes nothing.
    by     check_pair

R29 C H SR1111: The pool belongs to the array that is named with it.
    by     check_provision

R30 D4 H SR3006: Each side has a log volume besides its data volumes.
    by     check_group

R31 C H SR3007: The log volume comes from a pool of the same array.
    by     check_group

R32 D4 H SR2001: Data and log volumes are identical on both sites, pair by pair.
    by     check_enable

R33 - H SR2005: The requested size fits the pool.
    by     check_provision check_classify

R34 C L/H SR2011: Data volumes are CSVFS_NTFS with redundancy 1 and without deduplication.
    native not_applicable
    why    Volumes are raw blocks; nothing of ours deduplicates, and a secondary is read-only.

R35 C L SR2013: Log volumes are NTFS on a GUID partition table.
    native not_applicable
    why    The log lies on the bare volume, in the format of docs/format.md.

R36 - H SR3008: A log volume carries nothing else and serves one group.
    by     check_group

R37 C H SR4001: Volumes that are created in the background are complete before use.
    by     check_group

R38 D5 H SR3009: A group has at least one data volume and exactly its log volume.
    by     check_group

R39 D5 H SR3010: All members of a group are on one array.
    by     check_group

R40 - H SR3002: A volume is in at most one group.
    by     check_group

R41 D5 H SR3001: The two groups have equal members: count, order, sizes.
    by     check_enable

R42 - H SR0103: Group names are unique.
    by     check_group
    mend   srshell group create {free_name} --data {data} --log {log}

R43 C H SR3012: The destination group is created on its array with mode Synchronous.
    by     check_enable

R44 D3,D5 H SR4004: The arrays of the two groups are paired with each other.
    by     check_enable

R45 C H SR4005: Enabling protection names the target group and a mode.
    by     check_enable

R46 C H SR4006: The mode equals the mode of the destination group.
    by     check_enable

R47 - H SR4007: Neither group is in a partnership.
    by     check_enable

R48 - H SR4008: The destination has no open writer.
    by     check_enable

R49 - H SR4002: A destination that holds unrelated data is overwritten only on typed consent.
    by     check_enable
""")
