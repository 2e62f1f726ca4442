"""What `status` says: the article's words for both sides of every group, and what they rest on.

Always true:

(1) Words, health, recovery point and readiness are derived from what the sites said; nothing here
    is stored.
(2) The recovery point and the readiness are those of the side that is primary, for both rows, and
    hold only while that side has been heard of within the last two seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Required, TypedDict

import attrs

from srshell.fabric.copying import copy_shares, is_copying
from srshell.fabric.snapshot import View
from srshell.fabric.splits import split_sides
from srshell.model.forecast import derive_forecast
from srshell.model.health import derive_health, derive_readiness, derive_rpo_seconds
from srshell.model.inventory import Group, Vm
from srshell.model.meters import Legs, Rates
from srshell.model.replica import CopyProgress, ReplicaReport, ReplicaRole
from srshell.model.report import (
    GroupStatus,
    GroupVolume,
    Progress,
    StatusReport,
    VerificationStatus,
    VmRow,
)
from srshell.model.states import ReplicationState, Role, Surroundings, derive_data, derive_role

#: Makes the row of a machine from the catalogue's entry.
DescribeVm = Callable[[Vm], VmRow]


class _Terms(TypedDict, total=False):
    """Fields of a row that say what its copies may take."""

    copy_priority: int
    copy_bytes_per_second_max: int | None
    copy_share_bytes_per_second: float | None


class _Numbers(TypedDict, total=False):
    """Fields of a row that are copied from the report of the replica."""

    epoch: Required[int]
    durable_lsn: Required[int]
    acked_lsn: Required[int]
    applied_lsn: Required[int]
    flushed_lsn: int | None
    data_state: str
    waiting_on: str
    log_bytes: int
    log_bytes_free: int
    bytes_behind: int | None
    writes_total: int
    written_bytes_total: int
    copied_bytes_total: int
    latency: Legs
    rates: Rates
    log_covers_seconds: float | None


@attrs.frozen
class Observed:
    """What the owner noticed over time, beyond the last words of the sites."""

    verification: VerificationStatus | None = None
    stalled_seconds: float = 0.0
    outage_seconds: float | None = None  # of the last role change; None: there was none


def status_report(
    view: View,
    names: tuple[str, ...],
    now: float,
    describe_vm: DescribeVm,
    observed: Callable[[str], Observed],
) -> StatusReport:
    """The status of the named groups."""
    rows = tuple(
        group_status(view, view.snapshot.group(name), now, describe_vm, observed(name))
        for name in names
    )
    return StatusReport(rows, as_of=now)


def group_status(
    view: View, group: Group, now: float, describe_vm: DescribeVm, observed: Observed
) -> GroupStatus:
    """One side of a group."""
    report = view.report(group.name)
    around = surroundings(view, group.name, observed)
    state = view.state(group.name)
    health = derive_health(state, report, around)
    primary = view.primary_of(group.name) or group.name
    source = view.report(primary)
    source_around = surroundings(view, primary, observed)
    source_state = view.state(primary)
    readiness = derive_readiness(source_state, source, source_around)
    peer = view.partner(group.name)
    rpo_seconds = derive_rpo_seconds(source_state, source, source_around)
    return GroupStatus(
        name=group.name,
        array=group.array,
        is_primary=leads(view, group.name),
        replication_state=state,
        replication_health=health.health,
        health_reasons=health.reasons,
        failover_ready=readiness.ready,
        failover_ready_reason=readiness.reason,
        rpo_seconds=rpo_seconds,
        forecast=derive_forecast(
            source_state, source, rpo_seconds, source_around, observed.outage_seconds
        ),
        peer=peer,
        peer_state=None if peer is None else view.state(peer).value,
        progress=copy_progress(source.progress if source else None),
        volumes=tuple(_volumes(view, group)),
        vms=tuple(describe_vm(vm) for vm in view.snapshot.vms if vm.group == group.name),
        as_of=_as_of(report, around, now),
        role=_role(view, group.name).value,
        on_peer_loss=(report.on_peer_loss if report else group.on_peer_loss).value,
        split=split_sides(report) if state is ReplicationState.SPLIT_BRAIN else (),
        verification=observed.verification,
        **_numbers(report),
        **_terms(view, primary),
    )


def leads(view: View, group: str) -> bool:
    """Whether a side is primary.

    A side that does not answer, or came back and takes no writes, is so only while the other one
    has not taken over.
    """
    report = view.report(group)
    if report is None or report.role is not ReplicaRole.PRIMARY:
        return False
    return (view.fresh(group) and report.writable) or view.primary_of(group) == group


def _role(view: View, group: str) -> Role:
    """The role of a side, in the word that a person reads."""
    role = derive_role(view.report(group))
    return Role.SECONDARY if role is Role.PRIMARY and not leads(view, group) else role


def surroundings(view: View, group: str, observed: Observed) -> Surroundings:
    """What is known about one side beyond its replica's report."""
    found = observed.verification
    return attrs.evolve(
        view.surroundings(group),
        stalled_seconds=observed.stalled_seconds,
        differing_blocks=found.wrong_blocks if found else 0,
        damaged_places=found.damaged_places if found else 0,
        verify_overdue_seconds=found.overdue_seconds if found else 0.0,
    )


def copy_progress(progress: CopyProgress | None) -> Progress | None:
    """The progress of a copy; its end is not guessed at before one percent is done."""
    if progress is None:
        return None
    left = max(progress.total_bytes - progress.done_bytes, 0)
    rate = progress.bytes_per_second
    known = rate > 0 and (left == 0 or progress.done_bytes * 100 >= progress.total_bytes)
    return Progress(
        kind=progress.kind.value,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
        eta_seconds=left / rate if known else None,
        bytes_per_second=rate,
    )


def _terms(view: View, primary: str) -> _Terms:
    """What the copies of a group may take, and what one under way may take now."""
    partnership = view.snapshot.partnership_of(primary)
    if partnership is None:
        return {}
    share = 0.0
    if is_copying(view.report(primary)):
        array = view.snapshot.group(primary).array
        share = copy_shares(view, array).get(partnership.partnership, 0.0)
    return {
        "copy_priority": partnership.copy_priority,
        "copy_bytes_per_second_max": partnership.copy_bytes_per_second or None,
        "copy_share_bytes_per_second": share or None,
    }


def _as_of(report: ReplicaReport | None, around: Surroundings, now: float) -> float:
    """The moment that a row speaks of, by this owner's clock."""
    return now if report is None else now - around.age_seconds


def _numbers(report: ReplicaReport | None) -> _Numbers:
    """Epoch, LSNs and bytes of a side; zeros for one that is not enabled."""
    if report is None:
        return {"epoch": 0, "durable_lsn": 0, "acked_lsn": 0, "applied_lsn": 0}
    return {
        "epoch": report.epoch,
        "durable_lsn": report.durable_lsn,
        "acked_lsn": report.acked_lsn,
        "applied_lsn": report.applied_lsn,
        "flushed_lsn": report.acked_lsn,
        "data_state": derive_data(report).value,
        "waiting_on": report.waiting_on,
        "log_bytes": report.log_bytes,
        "log_bytes_free": report.log_bytes_free,
        "bytes_behind": report.unconfirmed_bytes if report.role is ReplicaRole.PRIMARY else None,
        "writes_total": report.writes_total,
        "written_bytes_total": report.written_bytes_total,
        "copied_bytes_total": report.copied_bytes_total,
        "latency": report.latency,
        "rates": report.rates,
        "log_covers_seconds": _covers(report),
    }


def _covers(report: ReplicaReport) -> float | None:
    """For how long the free part of a log takes what is written now."""
    rate = report.rates.bytes_per_second
    return report.log_bytes_free / rate if rate > 0 else None


def _volumes(view: View, group: Group) -> list[GroupVolume]:
    """The members of a group, data volumes first."""
    members = [(name, "data") for name in group.data] + [(group.log, "log")]
    return [
        GroupVolume(name, role, volume.size_bytes, volume.block_bytes, volume.path)
        for name, role in members
        if (volume := view.snapshot.find_volume(name)) is not None
    ]
