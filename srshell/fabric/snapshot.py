"""What the rules look at: the catalogue at one moment, and what the sites said last.

Always true:

(1) Everything here is a frozen value; looking at it asks nobody and changes nothing.
(2) A name that is looked up and is not there raises the coded error for its kind, with the nearest
    names as facts.
(3) What a site did not say is assumed to be in order, except that it answers: a `SiteFacts` that is
    missing means the site does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import attrs

from srshell.model.errors import SrError
from srshell.model.health import FRESH_SECONDS
from srshell.model.identity import nearest, unknown
from srshell.model.inventory import (
    Array,
    Classification,
    Group,
    Pair,
    Partnership,
    Pool,
    Profile,
    Provider,
    Site,
    Vm,
    Volume,
)
from srshell.model.replica import ReplicaReport, ReplicaRole
from srshell.model.states import ReplicationState, Surroundings, derive_state


@attrs.frozen
class Snapshot:
    """All objects of a catalogue at one moment."""

    fabric: str = ""
    profile: Profile = Profile.NATIVE
    providers: tuple[Provider, ...] = ()
    sites: tuple[Site, ...] = ()
    arrays: tuple[Array, ...] = ()
    pools: tuple[Pool, ...] = ()
    classifications: tuple[Classification, ...] = ()
    volumes: tuple[Volume, ...] = ()
    pairs: tuple[Pair, ...] = ()
    groups: tuple[Group, ...] = ()
    partnerships: tuple[Partnership, ...] = ()
    vms: tuple[Vm, ...] = ()
    #: What all copies out of a site may take together; 0: as much as they can.
    copy_bytes_per_second: int = 0

    # Found by name a hundred times for each command and each look: with a hundred groups, a search
    # through all of them each time would cost more than everything else.

    @cached_property
    def _volumes(self) -> dict[str, Volume]:
        return {volume.name: volume for volume in reversed(self.volumes)}

    @cached_property
    def _groups(self) -> dict[str, Group]:
        return {group.name: group for group in reversed(self.groups)}

    @cached_property
    def _groups_by_volume(self) -> dict[str, Group]:
        return {
            volume: group for group in reversed(self.groups) for volume in (*group.data, group.log)
        }

    @cached_property
    def _partnerships(self) -> dict[str, Partnership]:
        return {
            group: partnership
            for partnership in reversed(self.partnerships)
            for group in (partnership.source, partnership.destination)
            if group not in partnership.torn_down
        }

    def find_array(self, name: str) -> Array | None:
        """The array with that name, if there is one."""
        return next((array for array in self.arrays if array.name == name), None)

    def array(self, name: str) -> Array:
        """The array with that name.

        Raises:
            SrError: SR1107, it was not discovered.
        """
        found = self.find_array(name)
        if found is None:
            names = [array.name for array in self.arrays]
            near = nearest(name, names)
            known = ", ".join(near or names[:8]) or "none"
            mend = "srshell arrays" if near else f"srshell discover {name} --as {name}"
            raise SrError.make("SR1107", facts=f"known arrays: {known}", mend=mend, array=name)
        return found

    def find_pool(self, array: str, name: str) -> Pool | None:
        """The pool of that name on that array, if there is one."""
        return next((p for p in self.pools if p.array == array and p.name == name), None)

    def pools_of(self, array: str) -> tuple[Pool, ...]:
        """The pools of one array."""
        return tuple(pool for pool in self.pools if pool.array == array)

    def find_volume(self, name: str) -> Volume | None:
        """The volume with that name, if there is one."""
        return self._volumes.get(name)

    def volume(self, name: str) -> Volume:
        """The volume with that name.

        Raises:
            SrError: SR0105, there is none.
        """
        found = self.find_volume(name)
        if found is None:
            known = [volume.name for volume in self.volumes]
            raise unknown("volume", name, known, mend="srshell volumes")
        return found

    def find_group(self, name: str) -> Group | None:
        """The group with that name, if there is one."""
        return self._groups.get(name)

    def group(self, name: str) -> Group:
        """The group with that name.

        Raises:
            SrError: SR0105, there is none.
        """
        found = self.find_group(name)
        if found is None:
            known = [group.name for group in self.groups]
            raise unknown("group", name, known, mend="srshell groups")
        return found

    def group_of_volume(self, volume: str) -> Group | None:
        """The group that the volume is a member of, as data or as log."""
        return self._groups_by_volume.get(volume)

    def pair_of(self, array: str) -> Pair | None:
        """The pair that the array is in."""
        return next((pair for pair in self.pairs if array in {pair.array, pair.peer}), None)

    def peer_of(self, array: str) -> str | None:
        """The array that ``array`` is paired with."""
        pair = self.pair_of(array)
        return None if pair is None else pair.other(array)

    def partnership_of(self, group: str) -> Partnership | None:
        """The partnership that the group is in; one that it has left does not count."""
        return self._partnerships.get(group)

    def vm(self, name: str) -> Vm:
        """The virtual machine with that name.

        Raises:
            SrError: SR0105, there is none.
        """
        found = next((vm for vm in self.vms if vm.name == name), None)
        if found is None:
            known = [vm.name for vm in self.vms]
            raise unknown("virtual machine", name, known, mend="srshell vms")
        return found


@attrs.frozen
class SiteFacts:
    """What a site said about itself and its surroundings when it was asked last."""

    array: str
    reachable: bool = True
    #: Since the site answered last, in seconds.
    answered_seconds: float = 0.0
    may_operate: bool = True
    #: Arrays whose link address did not answer from here.
    unreachable_peers: tuple[str, ...] = ()
    bits_per_second: float | None = None
    round_trip_seconds: float | None = None
    clock_skew_seconds: float = 0.0
    #: The owner runs on the machine of the site and can end its process.
    may_fence: bool = True
    #: Pool to the system's answer, for pools that cannot be opened.
    pool_failures: Mapping[str, str] = attrs.Factory(dict)
    #: Partnership to the reason, for replicas that cannot be opened.
    replica_failures: Mapping[str, str] = attrs.Factory(dict)
    #: Volume to what holds it open for writing.
    open_writers: Mapping[str, str] = attrs.Factory(dict)
    #: Volume to what was found on it; a blank volume is missing here.
    contents: Mapping[str, str] = attrs.Factory(dict)
    #: Log volume to the partnership whose metadata it carries.
    log_labels: Mapping[str, str] = attrs.Factory(dict)
    replicas: tuple[ReplicaReport, ...] = ()

    @cached_property
    def _replicas(self) -> dict[str, ReplicaReport]:
        return {report.partnership: report for report in reversed(self.replicas)}

    def replica(self, partnership: str) -> ReplicaReport | None:
        """What the replica of a partnership said last."""
        return self._replicas.get(partnership)


@attrs.frozen
class View:
    """A catalogue snapshot beside what the sites said; the input of every check."""

    snapshot: Snapshot
    facts: Mapping[str, SiteFacts] = attrs.Factory(dict)
    #: Partnership to who is changing its roles.
    busy: Mapping[str, str] = attrs.Factory(dict)

    @property
    def strict(self) -> bool:
        """Whether the fabric refuses what the original product refuses."""
        return self.snapshot.profile is Profile.SEED_STRICT

    def site(self, array: str) -> SiteFacts:
        """What the site of the array said last."""
        return self.facts.get(array) or SiteFacts(array, reachable=False)

    def report(self, group: str) -> ReplicaReport | None:
        """What the replica of the group said last; None while it is not enabled."""
        partnership = self.snapshot.partnership_of(group)
        if partnership is None:
            return None
        site = self.site(self.snapshot.group(group).array)
        return site.replica(partnership.partnership)

    def surroundings(self, group: str) -> Surroundings:
        """What is known about one side beyond its replica's report."""
        partnership = self.snapshot.partnership_of(group)
        site = self.site(self.snapshot.group(group).array)
        if partnership is None:
            return Surroundings(site_up=site.reachable, age_seconds=site.answered_seconds)
        arrays = [
            self.snapshot.group(g).array for g in (partnership.source, partnership.destination)
        ]
        destination = next(
            (r for g in (partnership.source, partnership.destination)
             if (r := self.report(g)) is not None and r.role is ReplicaRole.SECONDARY),
            None,
        )  # fmt: skip
        return Surroundings(
            site_up=site.reachable,
            trouble=self._trouble(group, partnership),
            failed_over=partnership.failed_over,
            peer_torn_down=partnership.other(group) in partnership.torn_down,
            waiting_for_refresh=tuple(a for a in arrays if a not in partnership.refreshed),
            destination_data=None if destination is None else destination.data,
            age_seconds=site.answered_seconds,
        )

    def _trouble(self, group: str, partnership: Partnership) -> str:
        """Why the site has no replica of a group that is replicated; empty if it has one."""
        known = self.snapshot.group(group)
        site = self.site(known.array)
        failure = site.replica_failures.get(partnership.partnership, "")
        began = known.array in partnership.refreshed and group not in partnership.torn_down
        if failure or not began or not site.reachable or self.report(group) is not None:
            return failure
        pools = {self.snapshot.volume(name).pool for name in (known.log, *known.data)}
        for pool in sorted(pools & set(site.pool_failures)):
            error = SrError.make("SR1101", pool=pool, array=known.array)
            return f"{error.code} {error.message} {site.pool_failures[pool]}".strip()
        return f"{known.array} holds nothing of {group}: its pool is not the one that it was"

    def state(self, group: str) -> ReplicationState:
        """The article's word for one side."""
        if self.snapshot.partnership_of(group) is None:
            return ReplicationState.DISABLED
        report = self.report(group)
        around = self.surroundings(group)
        if report is None and around.site_up and not around.trouble:
            return ReplicationState.READY
        return derive_state(report, around)

    def partner(self, group: str) -> str | None:
        """The group at the other end of the partnership."""
        partnership = self.snapshot.partnership_of(group)
        return None if partnership is None else partnership.other(group)

    def primary_of(self, group: str) -> str | None:
        """Which of the two groups is primary, as the reports say; the source before any did.

        Where both claim it, the one in the higher epoch.
        """
        partnership = self.snapshot.partnership_of(group)
        if partnership is None:
            return None
        claims = [
            (report.epoch, name)
            for name in (partnership.source, partnership.destination)
            if (report := self.report(name)) is not None and report.role is ReplicaRole.PRIMARY
        ]
        if claims:
            return max(claims)[1]
        secondary = {
            name
            for name in (partnership.source, partnership.destination)
            if self.report(name) is not None
        }
        if secondary and len(secondary) == 1:
            return partnership.other(next(iter(secondary)))
        return partnership.source

    def fresh(self, group: str) -> bool:
        """Whether the site of the group spoke recently enough to be repeated as the present."""
        site = self.site(self.snapshot.group(group).array)
        return site.reachable and site.answered_seconds <= FRESH_SECONDS
