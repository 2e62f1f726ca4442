"""The cmdlets that the article uses and their neighbours, as data.

Always true:

(1) A parameter that is not carried out says why: it is either left out and named (``LEFT_OUT``),
    or refused (``REFUSED``); none is silently ignored.
(2) Names are the original's own; what is known but cannot be done here says so, and what to do
    instead.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

import attrs


class Use(Enum):
    """What becomes of a parameter."""

    USED = auto()
    LEFT_OUT = auto()
    REFUSED = auto()


@attrs.frozen
class Parameter:
    """One parameter of a cmdlet."""

    name: str
    switch: bool = False
    use: Use = Use.USED
    choices: tuple[str, ...] = ()
    why: str = ""


@attrs.frozen
class Cmdlet:
    """A cmdlet; ``piped`` names the parameter that takes what a pipeline hands on."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    piped: str = ""
    positional: str = ""
    refused: str = ""  # why it cannot be done here, and what can

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return not self.name.startswith("Get-")


def _used(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name) for name in names)


def _switch(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, switch=True) for name in names)


def _left_out(why: str, *names: str, switch: bool = False) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, switch=switch, use=Use.LEFT_OUT, why=why) for name in names)


def _refused(why: str, *names: str, switch: bool = False) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, switch=switch, use=Use.REFUSED, why=why) for name in names)


#: Every cmdlet takes these.
COMMON: Final = (
    *_switch("WhatIf", "Confirm"),
    *_used("JobVariable"),
    *_left_out("results show themselves", "Verbose", "Debug", switch=True),
    *_left_out("an error ends the cell", "ErrorAction", "ErrorVariable", "WarningAction"),
    *_left_out("there is one fabric", "VMMServer", "OnBehalfOfUser", "OnBehalfOfUserRole"),
    *_left_out("the journal is kept by the fabric", "PROTipID", "JobGroup"),
)
_WAITED: Final = _left_out(
    "the next line needs it, so it is waited for", "RunAsynchronously", switch=True
)
_BACKGROUND: Final = _switch("RunAsynchronously")
_FORMAT: Final = "volumes are raw blocks: whoever uses them makes their file system"
_NO_SHARES: Final = "groups are made of volumes, not of LUNs or file shares"
_NO_CHANGE: Final = "the volumes of a group are fixed: remove the group and make it anew"

CMDLETS: Final = (
    Cmdlet("Get-SCStorageProvider", _used("Name")),
    Cmdlet(
        "Read-SCStorageProvider",
        (*_used("StorageProvider"), *_left_out("a refresh is always whole", "Force", switch=True),
         *_BACKGROUND),
        piped="StorageProvider",
        positional="StorageProvider",
    ),
    Cmdlet("Get-SCStorageArray", (*_used("Name", "ID"), *_switch("All")), positional="Name"),
    Cmdlet("Get-SCStoragePool", (*_used("Name", "ID", "StorageArray"), *_switch("All")),
           piped="StorageArray", positional="Name"),
    Cmdlet("Get-SCStorageClassification", _used("Name"), positional="Name"),
    Cmdlet("Get-SCStorageVolume", (*_used("Name", "StorageArray"), *_switch("All")),
           piped="StorageArray", positional="Name"),
    Cmdlet("Get-SCReplicationGroup", (*_used("Name", "ID", "StorageArray"), *_switch("All")),
           piped="StorageArray", positional="Name"),
    Cmdlet("Get-SCVirtualMachine", (*_used("Name"), *_switch("All")), positional="Name"),
    Cmdlet("Get-SCJob", (*_used("ID"), *_switch("All"))),
    Cmdlet(
        "Set-SCStorageArray",
        (
            *_used("StorageArray", "PeerStorageArrayName", "Name"),
            *_switch("Pair", "UnPair"),
            *_left_out("both sites are this user's own", "RunAsAccount"),
            *_left_out("names say it", "Description"),
            *_refused("a place becomes a pool by: srshell manage-pool ARRAY/POOL WHERE",
                      "AddStoragePoolToManagement", "StorageClassificationAssociation",
                      "VMHostGroupAssociation", "RemoveStoragePoolFromManagement"),
            *_refused("arrays of files have no such setting", "LogicalUnitCopyMethod",
                      "CreateStorageGroupsPerCluster", "MaximumStorageLogicalUnitNameLength",
                      "DiscoverPhysicalDisks", "IOPSNormalizationSizeKB"),
            *_BACKGROUND,
        ),
        piped="StorageArray",
    ),
    Cmdlet(
        "New-SCStorageVolume",
        (
            *_used("StorageArray", "StoragePool", "Name", "SizeInBytes", "AllocationUnitSizeKB"),
            Parameter("FileSystem", choices=("NTFS", "ReFS", "CSVFS_NTFS", "CSVFS_ReFS")),
            *_switch("GuidPartitionTable"),
            *_left_out(_FORMAT, "DedupMode", "RequiredPartitionSize"),
            *_left_out("the pool says where its bytes lie", "PhysicalDiskRedundancy",
                       "ResiliencySettingName", "NumberOfColumns", "ReadCacheSizeMB"),
            *_refused("volumes are made in pools of arrays", "StorageFileServer"),
            *_WAITED,
        ),
    ),
    Cmdlet("Remove-SCStorageVolume", _used("StorageVolume"), piped="StorageVolume",
           positional="StorageVolume"),
    Cmdlet(
        "New-SCReplicationGroup",
        (
            *_used("Name", "StorageVolume", "LogStorageVolume"),
            Parameter("ProtectionMode", choices=("Synchronous", "Asynchronous")),
            *_left_out("a group is made on its array at once", "CreateOnArray", switch=True),
            *_left_out("the log volume has its size", "LogSizeInMB"),
            *_left_out("names say it", "Description"),
            *_refused("a test failover is not there yet; see what one would do with: srshell plan"
                      " failover GROUP", "SourceReplicationGroup", "LogicalUnitCopyMethod"),
            *_refused(_NO_SHARES, "StorageLogicalUnit", "StorageFileShare",
                      "ReplicationGroupType"),
            *_WAITED,
        ),
    ),
    Cmdlet(
        "Set-SCReplicationGroup",
        (
            *_used("ReplicationGroup", "TargetReplicationGroup"),
            Parameter(
                "Operation",
                choices=("EnableProtection", "PrepareForFailover", "Failover",
                         "PrepareForReverseRoles", "ReverseRoles", "Resync", "TearDown"),
            ),
            Parameter("EnableProtectionMode", choices=("Synchronous", "Asynchronous")),
            *_refused(_NO_CHANGE, "AddStorageLuns", "RemoveStorageLuns", "AddStorageFileShare",
                      "RemoveStorageFileShare", "AddStorageVolume", "RemoveStorageVolume",
                      "LogStorageVolume", "LogSizeInMB", "Name"),
            *_refused("the target is a group", "TargetLogicalUnit", "TargetStoragePool"),
            *_refused("a synchronous group has no other recovery point than none lost", "Rpo"),
            *_left_out("names say it", "Description"),
            *_left_out("a group is made on its array at once", "CreateOnArray", switch=True),
            *_BACKGROUND,
        ),
        piped="ReplicationGroup",
        positional="ReplicationGroup",
    ),
    Cmdlet(
        "Remove-SCReplicationGroup",
        (*_used("ReplicationGroup"), *_left_out("rules have no force", "Force", switch=True)),
        piped="ReplicationGroup",
        positional="ReplicationGroup",
    ),
    Cmdlet(
        "New-SCVirtualMachine",
        (
            *_used("Name", "Path"),
            *_left_out("machines run where their volume is", "VMHost", "HostGroup", "Cloud"),
            *_left_out("a machine is made of its kind", "VMTemplate", "HardwareProfile",
                       "Description"),
            *_WAITED,
        ),
    ),
    Cmdlet("Remove-SCVirtualMachine",
           (*_used("VM"), *_left_out("rules have no force", "Force", switch=True), *_BACKGROUND),
           piped="VM", positional="VM"),
    Cmdlet("Add-SCStorageProvider",
           refused="storage is taken in by: srshell discover WHERE --as ARRAY"),
    Cmdlet("Remove-SCStorageProvider",
           refused="arrays stay in the fabric; end it with: srshell stop"),
    Cmdlet("New-SCStorageClassification",
           refused="a pool gets its class by: srshell classify ARRAY/POOL CLASS"),
    Cmdlet("Set-SCStorageVolume",
           refused="volumes have no settings; groups have: srshell group set"),
    Cmdlet("New-SCStorageTier", refused="pools have no tiers"),
    Cmdlet("Start-SCVirtualMachine", refused="a machine runs from the moment it is added"),
    Cmdlet("Stop-SCVirtualMachine", refused="a machine is stopped by: srshell vm rm NAME"),
)  # fmt: skip

#: By name in small letters.
BY_NAME: Final = {cmdlet.name.lower(): cmdlet for cmdlet in CMDLETS}

#: What shapes a pipeline, and its short names.
SHAPING: Final = {
    "where": "where",
    "where-object": "where",
    "?": "where",
    "select": "select",
    "select-object": "select",
    "sort": "sort",
    "sort-object": "sort",
    "foreach-object": "foreach",
    "foreach": "foreach",
    "%": "foreach",
    "fl": "list",
    "format-list": "list",
    "ft": "table",
    "format-table": "table",
    "write-host": "say",
    "write-output": "say",
    "echo": "say",
}
