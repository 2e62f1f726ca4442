"""Knows what clients wrote and were told, and says when the engine breaks a promise.

Always true of the engine, or `Violation` is raised:

(1) An acknowledged write is in both logs, or the side that acknowledged it had durably noted that
    it does so alone.
(2) An acknowledged write is read back, after whatever happened, until a later one covers it; only
    the loser of a split brain that a person gave up, or a disk that a person replaced, takes writes
    along.
(3) The secondary's volumes with its log are, while it says consistent, the group at one LSN.
(4) A side that says "in sync" has a peer that holds every acknowledged write.
(5) A promotion loses nothing that the promoted side's own superblock excluded.

The oracle looks into replicas and changes nothing.
"""

from __future__ import annotations

from srshell.engine.overlay import patch
from srshell.engine.replica import Replica
from srshell.model.errors import SrError
from srshell.model.replica import Era, OnPeerLoss, ReplicaData, ReplicaRole
from srshell.model.verification import Compared
from srshell.simulation.claims import Claims, link_of
from srshell.simulation.cluster import REPLICAS, Cluster, Site
from srshell.simulation.copies import Copies
from srshell.simulation.notes import Note, Notebook, Outcome
from srshell.simulation.views import Replaced, Seen, View, describe, era_of
from srshell.simulation.workload import SECTOR_BYTES, Damage, numbers


class Violation(Exception):
    """The engine broke a promise."""


class Oracle:
    """Judges one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        """Watch every replica that is opened from now on."""
        self.book = Notebook(cluster.shape.limits.write_bytes)
        self.notes = self.book.notes
        self.acknowledged_count = 0
        self.reads_count = 0
        #: A person let a primary lead alone that could not tell its peer: evidence is void.
        self.overridden = False
        self._at_peace = False
        self._cluster = cluster
        self._sites = list(cluster.sites.values())
        self._places: dict[tuple[Era, int], Note] = {}
        self._roles: dict[str, ReplicaRole] = {}
        #: The newest write that each side acknowledged.
        self.newest: dict[str, Note] = {}
        self._life_lsn: dict[Replica, int] = {}
        #: Sides whose disks lied: they may come back with less than they said.
        self.doubtful: set[str] = set()
        #: Sides that some write is absent from.
        self._lacking: set[str] = set()
        #: Sides with a new disk that holds nothing yet.
        self.replaced_sides: dict[str, Replaced] = {}
        self.claims = Claims(cluster, self)
        self.copies = Copies(cluster, self)
        self._seen = [Seen(site, cluster.loop) for site in self._sites]
        #: The first promise that was broken.
        self.violation: Violation | None = None
        cluster.on_open.append(self._opened)

    def fail(self, text: str) -> None:
        """Raise a violation with the moment and what both sides say."""
        sides = "\n".join(describe(site) for site in self._cluster.sites.values())
        violation = Violation(f"at {self._cluster.loop.time():.6f} s: {text}\n{sides}")
        self.violation = self.violation or violation
        raise violation

    def glance(self) -> None:
        """Look again if anything moved since the last event; called after every one."""
        if self.violation is not None:
            raise self.violation
        moved = False
        for seen in self._seen:
            if seen.has_moved():
                moved = True
        if moved:
            self.look()

    # --- what sides have ------------------------------------------------------------------------

    def _opened(self, site: Site, replica: Replica) -> None:
        self.look()
        view = View.of(replica.core)
        sound = not view.failed and site.name not in self.doubtful
        if view.superblock.data is ReplicaData.CONSISTENT and sound:
            self._check_came_back(site, view)

    def _check_came_back(self, site: Site, view: View) -> None:
        """A consistent side holds all that was acknowledged by both, and by itself."""
        for note in self.notes:
            own = note.side == site.name or not note.alone
            due = own and note.lsn and note.counts and site.name not in note.absent
            if due and not view.holds(note.lsn, note.era):
                self.fail(f"{site.name} came back without {note}")

    # --- what clients did -----------------------------------------------------------------------

    def acknowledged(self, notes: list[Note], site: Site, replica: Replica, lsn: int) -> None:
        """The engine acknowledged a write whose last record has this LSN; called in that moment."""
        newest_lsn = self._life_lsn.get(replica, 0)
        if lsn <= newest_lsn and len(notes) == 1:
            self.fail(f"write {notes[0].number} got LSN {lsn} after {newest_lsn}")
        self._life_lsn[replica] = max(lsn, newest_lsn)
        first_lsn = lsn - len(notes) + 1
        for record_lsn, note in enumerate(notes, first_lsn):
            self._acknowledged(note, site, replica, record_lsn)
        self.look()

    def _acknowledged(self, note: Note, site: Site, replica: Replica, lsn: int) -> None:
        self._cluster.loop.record("client", note.number, "acknowledged", lsn)
        core = replica.core
        superblock = core.superblock
        era = era_of(superblock.history, lsn)
        note.outcome, note.lsn, note.era = Outcome.ACKNOWLEDGED, lsn, era
        note.acknowledged_at = self._cluster.loop.time()
        self.acknowledged_count += 1
        if era is None:
            self.fail(f"LSN {lsn} belongs to no era")
            return
        other = self._places.setdefault((era, lsn), note)
        if other is not note:
            self.fail(f"writes {other.number} and {note.number} both got LSN {lsn} of {era}")
        if era.epoch.creator != REPLICAS[site.name]:
            self.fail(f"write {note.number} was acknowledged in the reign of another side")
        if superblock.role is not ReplicaRole.PRIMARY:
            self.fail(f"write {note.number} was acknowledged by a {superblock.role.value}")
        if lsn > core.log.durable_lsn:
            self.fail(f"write {note.number} was acknowledged before its own log held LSN {lsn}")
        self.newest[site.name] = note
        note.alone = superblock.alone
        peer = site.peer.view
        held = peer is not None and peer.holds(note.lsn, note.era)
        thrown_away = self.replaced_sides.get(site.peer_name)
        late = thrown_away is not None and thrown_away.held(lsn, era)
        if not note.alone and not held and not late:
            self.fail(f"write {note.number} was acknowledged with LSN {lsn} in one log alone")
        if not held and peer is not None and peer.leads:
            self._lacks(site.peer_name, note)

    def unknown(self, notes: list[Note]) -> None:
        """The client cannot know what became of it."""
        for note in notes:
            if note.outcome is Outcome.PENDING:
                note.outcome = Outcome.UNKNOWN
        self._cluster.loop.record("client", notes[0].number, "unknown")

    def refused(self, notes: list[Note], error: SrError) -> None:
        """The engine said that it did not happen."""
        for note in notes:
            note.outcome = Outcome.REFUSED
        self._cluster.loop.record("client", notes[0].number, "refused", error.code)

    # --- what is read ---------------------------------------------------------------------------

    def floors(self, side: str, volume: int, first: int, end: int) -> list[int]:
        """Return, for each sector, the newest write that a read on this side must show at least."""
        if side in self.doubtful and not self._at_peace:
            return [0] * (end - first)
        return [self.book.floor(side, volume, sector) for sector in range(first, end)]

    def check_read(
        self, site: Site, replica: Replica, volume: int, first: int, data: bytes, floors: list[int]
    ) -> None:
        """Judge what a client read; what it saw must stay."""
        self.reads_count += 1
        alone = replica.core.superblock.alone
        for note in self._judge(f"read on {site.name}", volume, first, data, floors):
            if note.outcome is not Outcome.ACKNOWLEDGED and not note.seen:
                note.seen, note.alone = True, alone
                if alone and note.side == site.name and site.peer.view and site.peer.view.leads:
                    self._lacks(site.peer_name, note)

    def _judge(
        self, what: str, volume: int, first: int, data: bytes, floors: list[int]
    ) -> set[Note]:
        """Judge sectors; return the writes that they show."""
        try:
            found = numbers(data, volume, first)
        except Damage as damage:
            self.fail(f"{what}: {damage}")
            return set()
        shown: dict[Note, None] = {}
        for index, (number, floor) in enumerate(zip(found, floors, strict=True)):
            sector = first + index
            note = self.book.shown(volume, sector, number, floor)
            if isinstance(note, str):
                self.fail(f"{what}: v{volume} sector {sector} {note}")
            elif note is not None:
                shown[note] = None
        return set(shown)

    # --- what sides say -------------------------------------------------------------------------

    def look(self) -> None:
        """Compare what both sides are with what they say; follow changes of roles."""
        if all(site.replica is not None and site.replica.peer_link.split for site in self._sites):
            self._cluster.loop.reached("split: known to both sides")
        for site in self._cluster.sites.values():
            view = site.view
            if view is None:
                continue
            role = view.superblock.role
            before = self._roles.get(site.name, role)
            self._roles[site.name] = role
            if role is ReplicaRole.PRIMARY and before is not role:
                self._promoted(site, view)
            elif role is ReplicaRole.SECONDARY and before is not role:
                self._demoted(site, view)
            elif role is ReplicaRole.SECONDARY and not view.superblock.yields:
                self._forget_absences(site)
            if site.up:
                self.claims.check(site, view)
                if site.replica is not None:
                    self.copies.check(site, site.replica)
            newest = self.newest.get(site.peer_name)
            if newest is not None and self._excludes_a_loss(view):
                self._check_evidence(site, view, newest)

    def _promoted(self, site: Site, view: View) -> None:
        """What the new primary lacks was acknowledged by the other side alone."""
        self._cluster.loop.record("oracle", site.name, "promoted")
        self._cluster.loop.reached("role: promoted")
        if view.superblock.data is not ReplicaData.CONSISTENT:
            self.fail(f"{site.name} was promoted with data {view.superblock.data.value}")
        for note in self.notes:
            if not note.counts or site.name in note.absent:
                continue
            if not note.lsn:
                # Read, never acknowledged: where it is in the log is not known from outside.
                note.seen = note.seen and not note.alone
                continue
            if view.holds(note.lsn, note.era):
                continue
            if not note.alone:
                self.fail(f"{site.name} was promoted without write {note.number}, LSN {note.lsn}")
            self._lacks(site.name, note)

    def _lacks(self, side: str, note: Note) -> None:
        """A side's own history does not have this write."""
        note.absent.add(side)
        self._lacking.add(side)

    def check_evidence(self, site: Site) -> bool:
        """Say whether a secondary's superblock excludes that its promotion loses anything."""
        view = site.view
        if view is None or not self._excludes_a_loss(view):
            return False
        for note in self.notes:
            self._check_evidence(site, view, note)
        return True

    def _excludes_a_loss(self, view: View) -> bool:
        superblock = view.superblock
        return (
            superblock.role is ReplicaRole.SECONDARY
            and superblock.data is ReplicaData.CONSISTENT
            and not superblock.peer_may_ack_alone
            and superblock.on_peer_loss is not OnPeerLoss.CONTINUE
            and not self.overridden
        )

    def _check_evidence(self, site: Site, view: View, note: Note) -> None:
        if site.name in self.doubtful:
            return  # its superblock cannot know what its disk lost and did not say
        if note.counts and note.lsn and not view.holds(note.lsn, note.era):
            self.fail(f"{site.name} excludes a loss, but lacks write {note.number}, LSN {note.lsn}")

    def _demoted(self, site: Site, view: View) -> None:
        """A primary that follows now gave up only what a person let go of."""
        self._cluster.loop.record("oracle", site.name, "demoted", view.superblock.yields)
        self._cluster.loop.reached("role: demoted")
        for note in self.notes:
            if not note.counts or site.peer_name not in note.absent:
                continue
            if not view.superblock.yields:
                self.fail(f"{site.name} dropped write {note.number} (LSN {note.lsn}) by itself")
            note.given_up = True
        if not view.superblock.yields:
            self._forget_absences(site)

    def _forget_absences(self, site: Site) -> None:
        """A side that follows gets everything that the other has."""
        if site.name in self._lacking:
            self._lacking.discard(site.name)
            for note in self.notes:
                note.absent.discard(site.name)

    def replaced(self, site: Site) -> None:
        """A person threw away this side's disk: what only it had is gone."""
        self._roles[site.name] = ReplicaRole.SECONDARY
        before = self.replaced_sides.get(site.name)
        views = (*(before.views if before else ()), *filter(None, (site.view,)))
        self.replaced_sides[site.name] = Replaced(link_of(site.peer), views)
        for note in self.notes:
            if note.counts and site.peer_name in note.absent:
                note.given_up = True
            note.absent.discard(site.name)
        self._lacking.discard(site.name)

    def check_compared(self, when: str, found: Compared) -> None:
        """A verification of sound disks finds both sides equal, and as they were recorded."""
        # A disk that lied may have kept an old checksum: the blocks are equal all the same.
        lied = self._cluster.loop.probes["atlas: a side is doubtful"]
        wrong = found.differing_blocks or (found.undecided_blocks and not lied)
        if wrong or found.log_differences:
            self.fail(f"verify {when} found {found}")

    def check_plain(self, site: Site) -> None:
        """A side that was torn down holds in its volumes what it held in volumes and log."""
        for volume, size_bytes in enumerate(self._cluster.shape.volumes):
            data = site.disk.image(site.volume_path(volume)).read(0, size_bytes)
            floors = self.floors(site.name, volume, 0, size_bytes // SECTOR_BYTES)
            self._judge(f"{site.name}, torn down", volume, 0, data, floors)

    def parted(self, successor: Site) -> None:
        """The partnership is over; what the successor holds is what there is."""
        for note in self.notes:
            if note.counts and successor.name in note.absent:
                note.given_up = True
            note.seen, note.alone, note.lsn, note.era = note.counts, False, 0, None
            note.absent.clear()
        self._lacking.clear()
        self.newest.clear()
        self.claims.forget()
        self.replaced_sides = {successor.peer_name: Replaced(None, ())}
        self._roles = {successor.name: ReplicaRole.PRIMARY}
        self.overridden = False

    def check_disaster(self, site: Site) -> None:
        """A side may be the only one with usable data only if it said so."""
        view = site.view
        thrown_away = site.peer_name in self.replaced_sides
        if view is not None and not view.superblock.alone and not thrown_away:
            self.fail(f"{site.name} failed and its peer has nothing, but it said it is not alone")

    # --- what is on the disks -------------------------------------------------------------------

    def contents(self, site: Site, volume: int) -> bytes:
        """Return what a side would show after a recovery: its volume, with its log laid over."""
        replica = site.replica
        assert replica is not None
        core = replica.core
        size_bytes = self._cluster.shape.volumes[volume]
        data = site.disk.image(core.volumes.layouts[volume].path).read(0, size_bytes)
        records = core.overlay.covering(volume, 0, size_bytes, core.log.durable_lsn)
        return patch(data, 0, records)

    def check_secondary(self, site: Site) -> None:
        """A consistent secondary is the group at the LSN where its log ends."""
        view, replica = site.view, site.replica
        if view is None or replica is None or view.failed:
            return
        superblock = view.superblock
        if view.leads or superblock.yields or superblock.data is not ReplicaData.CONSISTENT:
            return
        for volume, size_bytes in enumerate(self._cluster.shape.volumes):
            data = self.contents(site, volume)
            found = self._numbers(f"the secondary {site.name}", volume, data)
            for sector in range(size_bytes // SECTOR_BYTES):
                self._check_prefix(site, view, volume, sector, found[sector])

    def _numbers(self, what: str, volume: int, data: bytes) -> list[int]:
        try:
            return numbers(data, volume, 0)
        except Damage as damage:
            self.fail(f"{what}: {damage}")
            return []

    def _check_prefix(self, site: Site, view: View, volume: int, sector: int, number: int) -> None:
        """The sector shows the last write up to the end of this side's log."""
        where = f"the secondary {site.name}: v{volume} sector {sector}"
        due = 0
        for note in self.book.on(volume, sector):
            if note.counts and note.lsn and view.holds(note.lsn, note.era):
                due = note.number
        if number:
            note = self.notes[number - 1]
            beyond = note.outcome is Outcome.ACKNOWLEDGED and not note.given_up
            if beyond and not view.holds(note.lsn, note.era) and site.name not in note.absent:
                self.fail(f"{where} shows write {number}, LSN {note.lsn}, beyond its log")
        problem = self.book.shown(volume, sector, number, due)
        if isinstance(problem, str):
            self.fail(f"{where} {problem}")

    def check_all(self, site: Site) -> None:
        """Judge every sector of a side that is in sync; nothing is pending."""
        self._at_peace = True
        for volume, size_bytes in enumerate(self._cluster.shape.volumes):
            data = self.contents(site, volume)
            sectors = size_bytes // SECTOR_BYTES
            floors = self.floors(site.name, volume, 0, sectors)
            self._judge(f"{site.name} at the end", volume, 0, data, floors)
        self._at_peace = False
