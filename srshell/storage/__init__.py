"""Files: the only room that opens, writes and syncs one.

Always true:

(1) Above this room there is no `OSError`, only `StorageError`.
(2) What a call says is durable is durable, or the call raises and the file is never written again.
"""

from srshell.storage.block_file import BlockFile, Disk, open_block_file
from srshell.storage.errors import AlreadyLocked, StorageError
from srshell.storage.executor import DeviceExecutor, DirectExecutor
from srshell.storage.locks import LockFile, lock_note
from srshell.storage.os_disk import OsDisk
from srshell.storage.raw import RawDisk, RawFile
from srshell.storage.writes import Write, gathered_writes, joined_writes

__all__ = [
    "AlreadyLocked",
    "BlockFile",
    "DeviceExecutor",
    "DirectExecutor",
    "Disk",
    "LockFile",
    "OsDisk",
    "RawDisk",
    "RawFile",
    "StorageError",
    "Write",
    "gathered_writes",
    "joined_writes",
    "lock_note",
    "open_block_file",
]
