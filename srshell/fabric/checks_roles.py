"""Rules of steps 10 and 11: prepare, failover, failback.

Always true:

(1) A check is a pure function of a `View` and the arguments of its command.
(2) Either group's name is accepted; which side is primary is taken from the sites' reports.
(3) What may be lost is never guessed: a `Loss` of None is unknown, and has to be accepted as such.
"""

from __future__ import annotations

import attrs

from srshell.fabric.findings import Findings, Verdict
from srshell.fabric.snapshot import View
from srshell.fabric.splits import seen_split, split_text
from srshell.model.errors import SrError
from srshell.model.geometry import format_bytes
from srshell.model.inventory import Mode, Partnership
from srshell.model.replica import ReplicaData, ReplicaRole
from srshell.model.states import ReplicationState, derive_data

_S = ReplicationState
_NOT_COPIED = frozenset({_S.DISABLED, _S.READY, _S.REPLICATING})
_IN_SYNC = frozenset({_S.SYNCHRONIZING, _S.PREPARED_FOR_FAILOVER})


@attrs.frozen
class Loss:
    """Acknowledged writes that a failover would leave behind; None is unknown."""

    size_bytes: int | None
    writes: int | None = None
    evidence: str = ""

    @property
    def nothing(self) -> bool:
        """Whether it is certain that nothing is lost."""
        return self.size_bytes == 0


@attrs.frozen
class Direction:
    """A partnership with its sides told apart, for one command."""

    group: str
    partnership: Partnership
    primary: str
    target: str
    from_array: str
    to_array: str


def resolve_direction(view: View, group: str) -> Direction:
    """Which side is primary and which would become so, from the name of either group.

    Raises:
        SrError: SR0105, there is no such group; SR5310, it is not enabled.
    """
    found = view.snapshot.group(group)
    partnership = view.snapshot.partnership_of(group)
    primary = view.primary_of(group)
    if partnership is None or primary is None:
        peer = view.snapshot.peer_of(found.array)
        free = [
            g.name
            for g in view.snapshot.groups
            if g.array == peer and view.snapshot.partnership_of(g.name) is None
        ]
        mend = f"srshell enable {group} {free[0]}" if free else "srshell groups"
        raise SrError.make("SR5310", mend=mend, group=group)
    target = partnership.other(primary)
    return Direction(
        group=group,
        partnership=partnership,
        primary=primary,
        target=target,
        from_array=view.snapshot.group(primary).array,
        to_array=view.snapshot.group(target).array,
    )


def begin(findings: Findings, group: str) -> Direction | None:
    """The direction of a command on a pair of groups, if nothing speaks against it (54, 67).

    None after noting that the group is unknown, not enabled, split, or being changed.
    """
    try:
        way = resolve_direction(findings.view, group)
    except SrError as error:
        findings.take(error)
        return None
    holder = findings.view.busy.get(way.partnership.partnership)
    if holder is not None:
        findings.refuse("SR6009", holder, group=group, holder=holder)
    for name, array, other in (
        (way.primary, way.from_array, way.to_array),
        (way.target, way.to_array, way.from_array),
    ):
        if findings.view.state(name) is _S.SPLIT_BRAIN:
            facts = split_text(seen_split(findings.view, name)) or f"seen by {array}"
            findings.broken(67, facts, group=name, array=array, other=other)
            break
    _check_one_primary(findings, way.partnership)
    return None if findings.errors else way


def check_roles(view: View) -> Verdict:
    """Whether every partnership has one primary at most (rule 54)."""
    findings = Findings(view)
    for partnership in view.snapshot.partnerships:
        _check_one_primary(findings, partnership)
    return findings.verdict()


def _check_one_primary(findings: Findings, partnership: Partnership) -> None:
    """At most one side says, at this moment, that it is primary and takes writes (54).

    What a silent site said last does not count: its peer may have taken over since.
    """
    view = findings.view
    primaries = [
        f"{name} in epoch {report.epoch}"
        for name in (partnership.source, partnership.destination)
        if (report := view.report(name)) is not None
        and view.fresh(name)
        and report.role is ReplicaRole.PRIMARY
        and report.writable
    ]
    if len(primaries) > 1:
        findings.broken(54, " and ".join(primaries), group=partnership.source)


def check_prepare(view: View, group: str) -> Verdict:
    """Whether the primary may be drained and sealed (rules 59, 62, 67)."""
    findings = Findings(view)
    way = begin(findings, group)
    if way is None:
        return findings.verdict()
    if view.state(way.primary) is _S.PREPARED_FOR_FAILOVER:
        return findings.verdict(f"{way.primary} is prepared already")
    if group != way.primary:
        findings.broken(62, group=group, primary=way.primary)
    _check_both_there(findings, way)
    _check_in_sync(findings, way)
    return findings.verdict()


def _check_both_there(findings: Findings, way: Direction) -> None:
    """A planned change needs both sides."""
    for array in (way.from_array, way.to_array):
        site = findings.view.site(array)
        if not site.reachable:
            # Without the source there is another way to go on; without the destination, none.
            mend = "" if array == way.from_array else f"srshell restart {array}"
            facts = f"the site of {array} does not answer"
            findings.refuse("SR6003", facts, mend, group=way.primary, array=array,
                            target=way.target)  # fmt: skip


def _check_in_sync(findings: Findings, way: Direction) -> None:
    """The group is Synchronizing, or prepared already (55, 59)."""
    state = findings.view.state(way.primary)
    if state in _IN_SYNC or findings.errors:
        return
    report = findings.view.report(way.primary)
    progress = None if report is None else report.progress
    facts = state.sentence
    if progress is not None:
        left = max(progress.total_bytes - progress.done_bytes, 0)
        facts = f"{facts.removesuffix('.')}, {format_bytes(left)} to go"
    code = "SR6001" if state in _NOT_COPIED else ""
    findings.broken(
        59, facts, _back_in_sync(way, state), code, group=way.primary, state=state.value
    )


def _back_in_sync(way: Direction, state: ReplicationState) -> str:
    """What to type where waiting alone brings no group in sync; empty where it does."""
    if state is _S.SUSPENDED:
        return f"srshell resume {way.primary}"
    return f"srshell why {way.primary}" if state is _S.ERROR else ""


def check_failover(
    view: View,
    group: str,
    kind: str,
    *,
    loss: Loss | None = None,
    accept_loss: int | str | None = None,
    confirm: str | None = None,
    ask: bool = True,
) -> Verdict:
    """Whether the other side may become primary (rules 54, 55, 59-61, 63, 64, 67).

    Args:
        view: the fabric.
        group: either group.
        kind: ``planned``, ``unplanned`` or ``test``.
        loss: what the evidence says an unplanned failover would lose; None before it was looked
            at, which is after the source has been fenced.
        accept_loss: the loss that is accepted, in bytes, or ``"unknown"`` for any.
        confirm: the group that was named as the one to become primary.
        ask: whether the confirmation is demanded; a dry run does not.
    """
    findings = Findings(view)
    if kind == "test":
        findings.broken(64, group=group)
        return findings.verdict()
    way = begin(findings, group)
    if way is None:
        return findings.verdict()
    if group != way.target:
        findings.broken(61, group=group, target=way.target)
    if kind == "planned":
        _check_planned(findings, way)
    elif kind == "unplanned":
        _check_unplanned(findings, way)
        if loss is not None and not findings.errors:
            _check_loss(findings, way, loss, accept_loss)
    else:
        mend = f"srshell failover {group} --planned --dry-run"
        findings.refuse("SR0005", "known: planned, unplanned", mend, text=kind, noun="failover")
    if ask:
        accepted = "" if accept_loss is None else f" --accept-loss {accept_loss}"
        effect = f"{way.target} becomes primary in place of {way.primary}"
        findings.confirm(f"failover {group} --{kind}{accepted}", effect, way.target, confirm)
    return findings.verdict()


def _check_planned(findings: Findings, way: Direction) -> None:
    """Both sides are there and in sync; strict wants the seal before (59, 60)."""
    _check_both_there(findings, way)
    _check_in_sync(findings, way)
    state = findings.view.state(way.primary)
    if findings.view.strict and not findings.errors and state is not _S.PREPARED_FOR_FAILOVER:
        findings.broken(60, f"{way.primary} is {state.value}", group=way.primary)


def _check_unplanned(findings: Findings, way: Direction) -> None:
    """The source is gone or can be fenced (63), and the target has data to go on from (59)."""
    view = findings.view
    target = view.site(way.to_array)
    if not target.reachable:
        facts = f"the site of {way.to_array} does not answer"
        findings.refuse("SR1105", facts, array=way.to_array)
        return
    source = view.site(way.from_array)
    if view.fresh(way.primary):
        facts = f"{way.from_array} answered {source.answered_seconds:.1f} s ago"
        names = {"group": way.primary, "primary": way.primary, "target": way.target}
        if source.may_fence:
            findings.broken(63, facts, **names)
        else:
            findings.errors.append(SrError.make("SR6018", facts, "", 63, **names))
    report = view.report(way.target)
    if report is None or report.data is ReplicaData.BLANK:
        findings.broken(59, "the first copy has not begun", code="SR6001", group=way.primary)
    elif report.data is not ReplicaData.CONSISTENT:
        data = derive_data(report)
        findings.broken(59, report.failure or data.sentence, code="SR6026", array=way.to_array,
                        group=way.target, data=data.value)  # fmt: skip


def _check_loss(
    findings: Findings, way: Direction, loss: Loss, accept_loss: int | str | None
) -> None:
    """What may be lost was accepted: all of it, or at least as much as is known."""
    if loss.nothing or accept_loss == "unknown":
        return
    known = loss.size_bytes
    if known is not None and isinstance(accept_loss, int) and known <= accept_loss:
        return
    shown = "unknown" if loss.size_bytes is None else format_bytes(loss.size_bytes)
    facts = f"loss: {shown}"
    if loss.writes is not None:
        facts += f" in {loss.writes} writes"
    if loss.evidence:
        facts += f"; {loss.evidence}"
    wanted = "unknown" if loss.size_bytes is None else str(loss.size_bytes)
    findings.refuse("SR6004", facts, group=way.group, loss=wanted, target=way.target)


def check_failback(
    view: View,
    group: str,
    *,
    target: str | None = None,
    mode: str = Mode.SYNC.value,
    confirm: str | None = None,
    ask: bool = True,
) -> Verdict:
    """Whether the roles may be reversed to the first ones (rules 3, 54, 67, 69-73).

    Args:
        view: the fabric.
        group: either group.
        target: the partner, where the caller names it as the original does.
        mode: the mode, where the caller names it.
        confirm: the group that was named as the one to become primary again.
        ask: whether the confirmation is demanded; a dry run does not.
    """
    findings = Findings(view)
    way = begin(findings, group)
    if way is None:
        return findings.verdict()
    first = way.partnership.source
    if way.primary == first:
        findings.broken(73, f"{first} is primary at {way.from_array}", group=first)
        return findings.verdict()
    if target is not None and target != way.partnership.other(group):
        facts = f"{group} and {way.partnership.other(group)} are partners"
        findings.broken(72, facts, group=group, target=target)
    if mode != Mode.SYNC.value:
        mend = f"srshell failback {group} --confirm {first}"
        findings.broken(3, f"mode {mode}", mend, source=way.primary, destination=first)
    for vm in view.snapshot.vms:
        if vm.group == first:
            findings.broken(69, f"its volume is {vm.volume}", vm=vm.name, array=vm.array)
    _check_return(findings, way)
    if ask:
        effect = f"{first} becomes primary in place of {way.primary}"
        findings.confirm(f"failback {group}", effect, first, confirm)
    return findings.verdict()


def _check_return(findings: Findings, way: Direction) -> None:
    """The first primary is back and in step, or is brought in step (71)."""
    for array in (way.from_array, way.to_array):
        if not findings.view.site(array).reachable:
            mend = f"srshell restart {array}"
            findings.refuse("SR6003", f"the site of {array} does not answer", mend,
                            group=way.primary, array=array, target=way.target)  # fmt: skip
    state = findings.view.state(way.primary)
    if findings.errors or state in _IN_SYNC:
        return
    if state in {_S.ERROR, _S.SUSPENDED, _S.READY, _S.DISABLED}:
        mend = _back_in_sync(way, state)
        findings.broken(59, state.sentence, mend, group=way.primary, state=state.value)
    elif state is not _S.FAILED_OVER or not findings.view.strict:
        # In the strict profile a failed-over side rejoins only by this very command.
        facts = f"{way.primary} is {state.value}"
        findings.broken(71, facts, group=way.primary, array=way.to_array)
