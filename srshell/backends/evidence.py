"""What the files of a site that is down prove about its writes.

Always true: nothing is changed, and the log is locked while it is read, so nobody writes meanwhile.
"""

from __future__ import annotations

from srshell.backends.base import Evidence
from srshell.engine.recovery import read_log
from srshell.model.errors import SrError
from srshell.site.errors import readable_errors
from srshell.storage import DeviceExecutor, Disk, OsDisk, RawDisk


async def read_evidence(array: str, log_path: str, raw: RawDisk | None = None) -> Evidence:
    """Read superblock and log of a replica.

    Raises:
        SrError: SR9221, a process has it; SR9210-SR9212, SR9220, it cannot be read; SR6002, it is
            the log of another array.
    """
    executor = DeviceExecutor(1, "evidence")
    try:
        with readable_errors():
            log = await read_log(log_path, Disk(raw or OsDisk(), executor))
    finally:
        executor.shutdown(wait=False)
    superblock = log.superblock
    if superblock.array != array:
        facts = f"{log_path} belongs to {superblock.group} of {superblock.array}"
        raise SrError.make("SR6002", facts=facts, group=superblock.group)
    return Evidence(log_path, superblock, log.tail_lsn, superblock.alone)
