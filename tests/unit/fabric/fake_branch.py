"""The branch that a site without disks saves."""

from __future__ import annotations

import time

from srshell.model.branch import Branch, BranchImage
from srshell.model.replica import Divergence, Epoch, ReplicaReport
from srshell.site.api import SiteBranch


def branch_of(replica: ReplicaReport, keep_seconds: float) -> SiteBranch:
    """What the loser of a split brain keeps of its volumes."""
    now = time.time()
    name = f"{replica.group}.{replica.durable_lsn}"
    images = tuple(
        BranchImage(
            layout.name,
            f"{name}.{layout.name}.image",
            layout.size_bytes,
            layout.block_bytes,
            diverged_bytes=4096,
        )
        for layout in replica.volumes
    )
    branch = Branch(
        name=name,
        group=replica.group,
        array=replica.array,
        partnership=replica.partnership,
        kept=replica.peer_array,
        epoch=Epoch(replica.epoch, 7, replica.array),
        saved_unix=now,
        expires_unix=now + keep_seconds,
        divergence=replica.split or Divergence(0, 1, 1, 4096),
        images=images,
    )
    return SiteBranch(branch, f"/pools/{replica.array}/.srshell-branches", 8192)
