"""The article's command lines, from first to last, with its typing errors."""

LINES = """\
$PriArray = Get-SCStorageArray - Name $PriArrayName

RecArray = Get-SCStorageArray - Name $RecArrayName

$ $ PriPoolName $RecPool = Get-SCStoragePool -Name $

$ $PriPoolName $RecPool = Get-SCStoragePool -Name $

Set-SCStorageArray -StorageArray $PriArray -PeerStorageArrayName $RecArray.name

Get-SCStorageArray -Name "existing-name" | Set-SCStorageArray -Name "new-name"

Set-SCStorageArray -StorageArray $PriArray -PeerStorageArrayName $RecArray.name

$PrimaryVol = New-SCStorageVolume -StorageArray $PriArray -StoragePool $PriPool -Name PrimaryVol \
-SizeInBytes $VolSize -RunAsynchronously -PhysicalDiskRedundancy "1" -FileSystem "CSVFS_NTFS" \
-DedupMode "Disabled"

$PrimaryLogVol = New-SCStorageVolume -StorageArray $PriArray -StoragePool $PriPool \
-Name PrimaryLogVol -SizeInBytes $LogVolSize -GuidPartitionTable -RunAsynchronously \
-FileSystem "NTFS"

$PriRG = New-SCReplicationGroup -Name PriRG -StorageVolume $PrimaryVol \
-LogStorageVolume $PrimaryLogVol

$RecoveryVol = New-SCStorageVolume -StorageArray $RecArray -StoragePool $RecPool \
-Name RecoveryVol -SizeInBytes $VolSize -RunAsynchronously -PhysicalDiskRedundancy "1" \
-FileSystem "CSVFS_NTFS" -DedupMode "Disabled"

$RecoveryLogVol = New-SCStorageVolume -StorageArray $RecArray -StoragePool $RecPool \
-Name RecoveryLogVol -SizeInBytes $LogVolSize -GuidPartitionTable -RunAsynchronously \
-FileSystem "NTFS"

$RecRG = New-SCReplicationGroup -Name RecRG -CreateOnArray -ProtectionMode Synchronous \
-StorageVolume $RecoveryVol -LogStorageVolume $RecoveryLogVol

Set-SCReplicationGroup -ReplicationGroup $PriRG -Operation EnableProtection \
-TargetReplicationGroup $RecRG -EnableProtectionMode Synchronous

Get replication status Get-SCReplicationGroup | where {($_.Name.EndsWith("PriRG")) -or \
($_.Name.EndsWith("RecRG"))}  | fl Name, IsPrimary, ReplicationState, ReplicationHealth

New-SCVirtualMachine -Name "DemoVM" -VMHost <HostName> -Path $PrimaryVol -VMTemplate <VMTemplate>

Set-SCReplicationGroup -ReplicationGroup $PriRG -Operation PrepareForFailover

Set-SCReplicationGroup -ReplicationGroup SRecRG -Operation Failover

Set-SCReplicationGroup -ReplicationGroup $PriRG -Operation ReverseRoles \
-EnableProtectionMode Synchronous -TargetReplicationGroup $RecRG

Set-SCReplicationGroup -ReplicationGroup $RecRG -Operation TearDown  \
Tear down need to be done on both RGs
"""
#: The commands that the lines become, with what the article leaves to the console and to patience.
COMMANDS = (
    "pair ClusterA ClusterB",
    "pair ClusterA ClusterB",
    "provision PrimaryVol --on ClusterA/PoolA --size 33554432",
    "provision PrimaryLogVol --on ClusterA/PoolA --size 33554432 --log",
    "group create PriRG --data PrimaryVol --log PrimaryLogVol",
    "provision RecoveryVol --on ClusterB/PoolA --size 33554432",
    "provision RecoveryLogVol --on ClusterB/PoolA --size 33554432 --log",
    "group create RecRG --data RecoveryVol --log RecoveryLogVol",
    "enable PriRG RecRG --mode sync",
    "refresh --all",
    "vm add DemoVM --volume PrimaryVol",
    "prepare PriRG",
    "failover RecRG --planned --confirm RecRG",
    "vm rm DemoVM",
    "failback PriRG --target RecRG --confirm PriRG",
    "teardown RecRG --confirm RecRG",
)
NAMES = {
    "PriArrayName": "ClusterA",
    "RecArrayName": "ClusterB",
    "PriPoolName": "PoolA",
    "RecPoolName": "PoolA",
    "VolSize": 32 << 20,
    "LogVolSize": 32 << 20,
}
