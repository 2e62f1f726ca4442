"""What a site of the copy answers about branches: those of the real one, and what a plan does.

Always true: the real site is asked once which branches it has, and nothing else.
"""

from __future__ import annotations

import attrs

from srshell.fabric.planning.world import SiteCopy, World
from srshell.model.branch import Branch, BranchImage
from srshell.model.errors import SrError
from srshell.model.replica import Divergence, Epoch, ReplicaReport, ReplicaRole
from srshell.model.report import NbdExport
from srshell.site.api import BranchList, SiteBranch


class CopiedBranches:
    """The verbs of branches over a `SiteCopy`."""

    def __init__(self, site: SiteCopy, world: World) -> None:
        self._copy = site
        self._world = world

    @property
    def _site(self) -> SiteCopy:
        """The site, if it answers."""
        if not self._copy.up:
            raise SrError.make("SR9301", facts="it does not run", array=self._copy.report.array)
        return self._copy

    async def give_up(self, partnership: str, keep_seconds: float) -> SiteBranch:
        """Lose a split brain, and keep the own volumes as a branch."""
        site = self._site
        report = site.replica(partnership)
        if report.split is None:
            raise SrError.make("SR6023", group=report.group, array=report.array)
        saved = _branch(report, keep_seconds)
        known = await self._branches()
        site.branches = {**known, saved.branch.name: saved}
        for other in self._world.sites.values():
            if (twin := other.find(partnership)) is not None:
                other.put(attrs.evolve(twin, split=None, peer_split=None))
        self._world.change(site, partnership, role=ReplicaRole.SECONDARY, writable=False)
        return saved

    async def _branches(self) -> dict[str, SiteBranch]:
        site = self._site
        if site.branches is None:
            real = await site.origin.branches() if site.origin is not None else BranchList()
            site.branches = {found.branch.name: found for found in real.branches}
        return site.branches

    async def _branch(self, name: str) -> SiteBranch:
        found = (await self._branches()).get(name)
        if found is None:
            raise SrError.make("SR0105", noun="branch", name=name, mend="srshell branches")
        return found

    async def branches(self) -> BranchList:
        """List the branches of the real site, and what the plan changed of them."""
        return BranchList(tuple((await self._branches()).values()))

    async def export_branch(self, name: str) -> tuple[NbdExport, ...]:
        """Serve a branch."""
        found = await self._branch(name)
        exports = tuple(
            NbdExport("", f"{image.volume}@{name}", read_only=True) for image in found.branch.images
        )
        (await self._branches())[name] = attrs.evolve(found, exports=exports)
        return exports

    async def unexport_branch(self, name: str) -> None:
        """Serve it no more."""
        found = await self._branch(name)
        (await self._branches())[name] = attrs.evolve(found, exports=())

    async def keep_branch(self, name: str, expires_unix: float) -> SiteBranch:
        """Keep a branch until another day."""
        found = await self._branch(name)
        branch = attrs.evolve(found.branch, expires_unix=expires_unix)
        kept = attrs.evolve(found, branch=branch)
        (await self._branches())[name] = kept
        return kept

    async def remove_branch(self, name: str, *, expired: bool = False) -> None:
        """Remove a branch that nobody reads."""
        if (await self._branch(name)).exports:
            raise SrError.make("SR6028", branch=name)
        del (await self._branches())[name]


def _branch(replica: ReplicaReport, keep_seconds: float) -> SiteBranch:
    """What the loser of a split brain keeps."""
    name = f"{replica.group}.{replica.durable_lsn}"
    images = tuple(
        BranchImage(v.name, f"{name}.{v.name}", v.size_bytes, v.block_bytes)
        for v in replica.volumes
    )
    branch = Branch(
        name=name,
        group=replica.group,
        array=replica.array,
        partnership=replica.partnership,
        kept=replica.peer_array,
        epoch=Epoch(replica.epoch, 0, replica.array),
        saved_unix=0.0,
        expires_unix=keep_seconds,
        divergence=replica.split or Divergence(0, 0, 0, 0),
        images=images,
    )
    return SiteBranch(branch, "", 0)
