"""Bytes rot on the volumes of a group in peace; one verification finds and mends them all.

Always true of the engine, or `Violation` is raised:

(1) Every block that rotted is found, and no other.
(2) With checksums, the side that rotted is called wrong, and its blocks are mended from the other;
    without them nothing is mended.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from srshell.model.errors import SrError
from srshell.model.verification import Compared, VerifyOrder
from srshell.simulation.cluster import Cluster, Site, SiteDown

if TYPE_CHECKING:
    from srshell.simulation.oracle import Oracle

_BLOCK_BYTES: Final = 4096
_BLOCKS_MAX: Final = 4


class Rot:
    """Damages one side's volumes and lets both be verified."""

    def __init__(self, cluster: Cluster, oracle: Oracle, random: Random) -> None:
        """Begin with sound disks."""
        self._cluster = cluster
        self._oracle = oracle
        self._random = random

    async def strike(self, primary: Site) -> None:
        """Let some blocks of one side rot, and look whether they are found and mended."""
        sites = list(self._cluster.sites.values())
        site = self._random.choice(sites)
        flips = self._draw()
        for volume, offset in flips:
            self._flip(site, volume, offset)
        self._cluster.loop.record("rot", site.name, len(flips))
        replica = primary.replica
        assert replica is not None
        try:
            found = await primary.ask(lambda: replica.verify(VerifyOrder(repair=True)))
        except (SiteDown, SrError) as error:
            self._oracle.fail(f"verify after rot: {error}")
            return
        self._cluster.loop.reached("verify: rot was found")
        self._judge(found, len(flips), at_source=site is primary)
        if not self._cluster.shape.checksums:
            for volume, offset in flips:
                self._flip(site, volume, offset)

    def _draw(self) -> list[tuple[int, int]]:
        """Return volumes and byte offsets, each in a block of its own."""
        random, found = self._random, {}
        sizes_bytes = self._cluster.shape.volumes
        for _ in range(random.randint(1, _BLOCKS_MAX)):
            volume = random.randrange(len(sizes_bytes))
            offset = random.randrange(sizes_bytes[volume])
            found[volume, offset // _BLOCK_BYTES] = (volume, offset)
        return list(found.values())

    def _flip(self, site: Site, volume: int, offset: int) -> None:
        site.disk.image(site.volume_path(volume)).flip(offset)

    def _judge(self, found: Compared, count: int, *, at_source: bool) -> None:
        if found.differing_blocks != count:
            self._oracle.fail(f"{count} blocks rotted, a verification found {found}")
        if self._cluster.shape.checksums:
            wrong = found.wrong_source_blocks if at_source else found.wrong_destination_blocks
            if wrong != count or found.repaired_blocks != count:
                self._oracle.fail(f"{count} blocks rotted, at the source: {at_source}; {found}")
        elif found.repaired_blocks:
            self._oracle.fail(f"blocks were mended without proof: {found}")
