"""What lies on volumes before they belong to a group.

Always true:

(1) What the first primary holds counts as written and acknowledged: it must survive as everything
    else.
(2) What any other side holds is garbage, or an old state of the same: nothing of it may be seen.
"""

from __future__ import annotations

from random import Random

from srshell.simulation.cluster import Cluster, Site
from srshell.simulation.notes import Note, Outcome
from srshell.simulation.oracle import Oracle
from srshell.simulation.workload import SECTOR_BYTES, fill

_RANGES = 5
_RANGE_SECTORS_MAX = 24


class Prefill:
    """Fills volumes as soon as they are made, if the group's shape says so."""

    def __init__(self, cluster: Cluster, oracle: Oracle, random: Random) -> None:
        """Be called for every volume that is made from now on."""
        self._cluster = cluster
        self._oracle = oracle
        self._random = random
        self._begun = False
        if cluster.shape.used:
            cluster.on_volumes.append(self._fill)

    def _fill(self, site: Site) -> None:
        for volume, size_bytes in enumerate(self._cluster.shape.volumes):
            if not self._begun:
                self._write(site, volume, size_bytes)
            else:
                self._litter(site, volume, size_bytes)
        self._begun = True

    def _ranges(self, size_bytes: int) -> list[tuple[int, int]]:
        sectors, random = size_bytes // SECTOR_BYTES, self._random
        firsts = [random.randrange(sectors) for _ in range(_RANGES)]
        return [
            (first, min(sectors, first + random.randint(1, _RANGE_SECTORS_MAX))) for first in firsts
        ]

    def _write(self, site: Site, volume: int, size_bytes: int) -> None:
        """Write what counts."""
        book, image = self._oracle.book, site.disk.image(site.volume_path(volume))
        for first, end in self._ranges(size_bytes):
            note = Note(site.name, "write", volume, first, end, outcome=Outcome.ACKNOWLEDGED)
            book.begin([note])
            image.write(first * SECTOR_BYTES, fill(note.number, volume, first, end))
        image.sync()

    def _litter(self, site: Site, volume: int, size_bytes: int) -> None:
        """Write what nobody may see, beside a part of what counts."""
        image = site.disk.image(site.volume_path(volume))
        if self._cluster.shape.seeded:
            source = self._cluster.sites["A"]
            data = source.disk.image(source.volume_path(volume)).read(0, size_bytes)
            image.write(0, data)
        for first, end in self._ranges(size_bytes)[:2]:
            image.write(first * SECTOR_BYTES, self._random.randbytes((end - first) * SECTOR_BYTES))
        image.sync()
