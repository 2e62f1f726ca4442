"""Rules of looking after protected groups: suspend, resume, policy, resolve, tear down, wait.

Always true:

(1) A check is a pure function of a `View` and the arguments of its command.
(2) What lets the source acknowledge alone is refused while the destination cannot be told, but for
    the two commands that say so in their words: ``resume --alone`` and ``--this-side-only``.
"""

from __future__ import annotations

from srshell.fabric.checks_common import find_array
from srshell.fabric.checks_roles import Direction, begin, resolve_direction
from srshell.fabric.findings import Findings, Verdict
from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.identity import unknown
from srshell.model.replica import OnPeerLoss
from srshell.model.states import ReplicationState

_S = ReplicationState
_IN_SYNC = frozenset({_S.SYNCHRONIZING, _S.PREPARED_FOR_FAILOVER})
_WAITING = frozenset({_S.WAITING_FOR_DESTINATION, _S.FAILED_OVER})


def check_suspend(view: View, group: str) -> Verdict:
    """Whether replication may be paused: the destination has to know of it first."""
    findings = Findings(view)
    way = begin(findings, group)
    if way is None:
        return findings.verdict()
    state = view.state(way.primary)
    if state is _S.SUSPENDED:
        return findings.verdict(f"{way.primary} is suspended already")
    if state is _S.PREPARED_FOR_FAILOVER:
        findings.broken(70, group=way.primary)
    elif state in {_S.READY, _S.ERROR, _S.TORN_DOWN_HERE, _S.WAITING_FOR_TEAR_DOWN}:
        code = "SR5307"
        findings.refuse(code, state.sentence, group=way.primary, state=_S.SUSPENDED.value,
                        current=state.value)  # fmt: skip
    else:
        _destination_must_know(findings, way)
    return findings.verdict()


def _destination_must_know(findings: Findings, way: Direction) -> None:
    """The destination is reachable, for it has to store that the source may go on alone."""
    apart = findings.view.state(way.primary) in _WAITING
    if apart or not findings.view.site(way.to_array).reachable:
        facts = f"the link between {way.from_array} and {way.to_array} is down"
        findings.refuse("SR5309", facts, group=way.primary, peer=way.target,
                        array=way.from_array)  # fmt: skip


def check_resume(
    view: View,
    group: str,
    *,
    alone: bool = False,
    accept_loss: str | None = None,
    confirm: str | None = None,
    ask: bool = True,
) -> Verdict:
    """Whether the group may go on: after a pause, without its seal, or without its peer."""
    findings = Findings(view)
    way = begin(findings, group)
    if way is None:
        return findings.verdict()
    state = view.state(way.primary)
    if alone:
        _check_alone(findings, way, state, accept_loss)
        if ask:
            command = f"resume {group} --alone --accept-loss unknown"
            effect = f"{way.primary} acknowledges writes that {way.target} does not hold"
            findings.confirm(command, effect, way.from_array, confirm)
        return findings.verdict()
    if state in {_S.SYNCHRONIZING, _S.REPLICATING, _S.RESYNCHRONIZING}:
        return findings.verdict(f"{way.primary} is {state.value} already")
    if state not in {_S.SUSPENDED, _S.PREPARED_FOR_FAILOVER, *_WAITING}:
        findings.refuse("SR5308", state.sentence, group=way.primary)
    return findings.verdict()


def _check_alone(
    findings: Findings, way: Direction, state: ReplicationState, accept_loss: str | None
) -> None:
    """Going on alone is for a source that waits, and says that the loss is unknown."""
    if not findings.view.site(way.from_array).reachable:
        facts = "its site process does not answer"
        findings.refuse("SR1105", facts, array=way.from_array)
    elif state not in {*_WAITING, _S.SUSPENDED}:
        facts = f"{way.primary} is {state.value}"
        findings.refuse("SR5308", facts, group=way.primary)
    elif accept_loss != "unknown":
        mend = (
            f"srshell resume {way.group} --alone --accept-loss unknown --confirm {way.from_array}"
        )
        facts = f"{way.target} cannot be told that {way.primary} goes on alone"
        findings.refuse("SR6004", facts, mend, group=way.primary)


def check_policy(view: View, group: str, on_peer_loss: str) -> Verdict:
    """Whether the policy of a group may be changed."""
    findings = Findings(view)
    try:
        known = view.snapshot.group(group)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    words = [policy.value for policy in OnPeerLoss]
    if on_peer_loss not in words:
        mend = f"srshell group set {group} --on-peer-loss {known.on_peer_loss.value}"
        noun = "policy for a lost peer"
        findings.refuse("SR0005", f"known: {', '.join(words)}", mend, text=on_peer_loss, noun=noun)
        return findings.verdict()
    if known.on_peer_loss.value == on_peer_loss:
        return findings.verdict(f"the policy of {group} is {on_peer_loss} already")
    if view.snapshot.partnership_of(group) is not None:
        way = begin(findings, group)
        if way is not None and on_peer_loss == OnPeerLoss.CONTINUE.value:
            _destination_must_know(findings, way)
    return findings.verdict()


def check_resolve(
    view: View, group: str, keep: str, confirm: str | None, *, ask: bool = True
) -> Verdict:
    """Whether a split brain may be resolved in favour of an array."""
    findings = Findings(view)
    try:
        way = resolve_direction(view, group)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    holder = view.busy.get(way.partnership.partnership)
    if holder is not None:
        findings.refuse("SR6009", holder, group=group, holder=holder)
    if _S.SPLIT_BRAIN not in {view.state(way.primary), view.state(way.target)}:
        findings.refuse("SR6023", group=group)
    arrays = (way.from_array, way.to_array)
    if keep not in arrays:
        findings.take(unknown("side", keep, arrays, mend=f"srshell status {group}"))
        return findings.verdict()
    loser = arrays[1] if keep == arrays[0] else arrays[0]
    for array in arrays:
        if not view.site(array).reachable:
            facts = "its site process does not answer"
            findings.refuse("SR1105", facts, array=array)
    if ask:
        effect = f"the writes that only {loser} holds are given up, after they are saved"
        findings.confirm(f"resolve {group} --keep {keep}", effect, loser, confirm)
    return findings.verdict()


def check_teardown(
    view: View,
    group: str,
    *,
    this_side_only: bool = False,
    confirm: str | None = None,
    ask: bool = True,
) -> Verdict:
    """Whether replication may be ended, on both sides or on one (rules 75-77)."""
    findings = Findings(view)
    try:
        known = view.snapshot.group(group)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    partnership = view.snapshot.partnership_of(group)
    if partnership is None:
        return findings.verdict(f"{group} is in no partnership")
    holder = view.busy.get(partnership.partnership)
    if holder is not None:
        findings.refuse("SR6009", holder, group=group, holder=holder)
    peer = partnership.other(group)
    sides = [known.array]
    if not this_side_only and peer not in partnership.torn_down:
        sides.append(view.snapshot.group(peer).array)
    for name in (group, peer):
        if view.state(name) is _S.PREPARED_FOR_FAILOVER:
            findings.refuse("SR7004", group=name)
            break
    for array in sides:
        if not view.site(array).reachable:
            # A side that is lost for good must not hold the other one for ever.
            other = f"srshell teardown {group} --this-side-only --confirm {group}"
            mend = other if array != known.array else ""
            facts = "its site process does not answer"
            findings.refuse("SR1105", facts, mend, array=array)
    if this_side_only and peer not in partnership.torn_down:
        findings.broken(75, f"{peer} keeps the partnership", group=group, peer=peer)
    for vm in view.snapshot.vms:
        if vm.group in {group, peer}:
            findings.warn("SR7005", f"its volume is {vm.volume}", vm=vm.name)
    if ask:
        command = f"teardown {group}{' --this-side-only' if this_side_only else ''}"
        findings.confirm(command, f"{group} loses its protection", group, confirm)
    return findings.verdict()


def check_verify(view: View, group: str) -> Verdict:
    """Whether both sides can be compared: they have to be in sync."""
    findings = Findings(view)
    way = begin(findings, group)
    if way is not None and view.state(way.primary) not in _IN_SYNC:
        state = view.state(way.primary)
        findings.refuse("SR7703", state.sentence, group=group, state=state.value)
    return findings.verdict()


def check_wait(view: View, group: str, until: str) -> Verdict:
    """Whether the state exists, and can come without another command."""
    findings = Findings(view)
    try:
        view.snapshot.group(group)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    words = [state.value for state in ReplicationState]
    if until not in words:
        mend = f"srshell wait {group} --until {_S.SYNCHRONIZING.value}"
        findings.refuse("SR0005", f"known: {', '.join(words)}", mend, text=until, noun="state")
        return findings.verdict()
    current = view.state(group)
    if current.value == until:
        return findings.verdict(f"{group} is {until} already")
    if current is _S.DISABLED:
        findings.refuse("SR5307", current.sentence, group=group, state=until, current=current.value)
    return findings.verdict()


def check_restart(view: View, array: str) -> Verdict:
    """Whether the site of an array may be started again: the array has to be known (21)."""
    findings = Findings(view)
    find_array(findings, array)
    return findings.verdict()
