"""One replication: where it stands, what flows, what its logs bridge, what a failover would lose.

Always true: what is no longer the present is marked with a question mark and its moment.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

from srshell.fabric.mending import code_of, mend_of_sides
from srshell.fabric.pages.words import UNKNOWN, duration, size
from srshell.model.report import GroupStatus
from srshell.model.states import TRANSITIONS, ReplicationState
from srshell_tui.flow import Flow
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.marks import STATE_TONES, health_span, ready_span
from srshell_tui.scene import Couple, Scene, couple_of, moment, sure
from srshell_tui.screens.figures import forecast_lines, latency_lines
from srshell_tui.screens.parts import copy_lines, event_lines, log_fill, rate_text, split_lines
from srshell_tui.text import (
    Drawing,
    Line,
    Piece,
    Span,
    Tone,
    bar,
    beside,
    cell,
    fit,
    graph,
    rule,
    spans,
    width_of,
    wrap,
)

_S = ReplicationState

#: The way that every group goes once; other states are told beside it.
WAY: Final = (_S.DISABLED, _S.READY, _S.REPLICATING, _S.SYNCHRONIZING)

_LOOKING: tuple[Key, ...] = (
    ("?", "help"), (":", "command"), ("4", "events"), ("E", "explain"), ("v", "verify"),
    ("x", "export"), ("esc", "back"),
)  # fmt: skip
_ACTING: tuple[Key, ...] = (
    ("F", "failover"), ("B", "failback"), ("p", "suspend/resume"), ("X", "teardown"),
)  # fmt: skip
_RIGHT_WIDTH = 64


def group_keys(scene: Scene, couple: Couple | None) -> tuple[Key, ...]:
    """What can be pressed: nothing that changes anything in a read-only session."""
    if scene.read_only or couple is None:
        return _LOOKING
    split = any(side.replication_state is _S.SPLIT_BRAIN for side in couple.sides)
    more: tuple[Key, ...] = (("K", "resolve"),) if split else ()
    return (_LOOKING[0], *more, *_ACTING, *_LOOKING[1:])


def draw_group(scene: Scene) -> Drawing:
    """The screen of a group."""
    couple = couple_of(scene.view, scene.look.group)
    keys = group_keys(scene, couple)
    if couple is None:
        name = scene.look.group or "no group"
        lines = [fit(spans(f" {name}: not there (any more); esc goes back"), scene.width)]
        return compose(scene, (top(scene, (name,)),), Body(lines), keys)
    source = couple.source
    mode = scene.view.groups.get(source.name)
    about = f" {mode.mode if mode else ''}  epoch {source.epoch}"
    first = (top(scene, (couple.title,), (about, Tone.DIM)), *_standing(scene, couple))
    width = scene.width
    if not scene.wide:
        figures = [*_flow(scene, couple, width), *latency_lines(scene, source, width)]
        point = [*_point(scene, couple, width), *_users(scene, couple, width)]
        logs = _logs(scene, couple, width)
        # Where something is wrong, what is at stake comes before how fast it goes.
        parts = [point, logs, figures] if couple.reasons else [figures, logs, point]
        body = [*_reasons(scene, couple, width), *_copy(couple, width), *chain(*parts)]
        room = scene.height - len(first) - 2
        left = room - len(body) - 1
        if left > 0:
            body += [rule("Events of this group", width), *_events(scene, couple, left, width)]
        return compose(scene, first, Body(body), keys)
    left_width = width - _RIGHT_WIDTH - 1
    left_part = [*_reasons(scene, couple, left_width), *_copy(couple, left_width),
                 *_flow(scene, couple, left_width),
                 *latency_lines(scene, source, left_width)]  # fmt: skip
    left = max(scene.height - len(first) - len(left_part) - 3, 3)
    left_part += [rule("Events of this group", left_width)]
    left_part += _events(scene, couple, left, left_width)
    right_width = _RIGHT_WIDTH
    right_part = [*_logs(scene, couple, right_width), *_point(scene, couple, right_width),
                  *_users(scene, couple, right_width),
                  *_following(source, right_width)]  # fmt: skip
    return compose(scene, first, Body(beside(left_part, right_part, left_width, width)), keys)


def _standing(scene: Scene, couple: Couple) -> tuple[Line, ...]:
    """Where the source is on its way, what that means, and both sides."""
    source, width = couple.source, scene.width
    state, fresh = source.replication_state, scene.view.fresh(source)
    steps: list[Piece] = [" "]
    for number, step in enumerate(WAY):
        if number:
            steps.append((" ─ ", Tone.DIM))
        here = step is state
        steps.append(_here(state, fresh=fresh) if here else (step.value, Tone.DIM))
    if state not in WAY:
        # The first two are long past: the room goes to where the group is now.
        steps = [(" … ─ Replicating ─ Synchronizing ─ ", Tone.DIM)]
        steps.append(_here(state, fresh=fresh))
    health, tone = health_span(couple.health)
    sides: list[Piece] = [" ", sure(health, tone, fresh=fresh)]
    sizes = [_data_size(side) for side in couple.sides]
    same = len(set(sizes)) == 1
    for number, (label, side, mark) in enumerate(
        zip(("source", "dest"), couple.sides, (Tone.SOURCE, Tone.DESTINATION), strict=False)
    ):
        data = [volume for volume in side.volumes if volume.role == "data"]
        more = f" +{len(data) - 1}" if len(data) > 1 else ""
        told = sizes[number] if not same or number == len(sizes) - 1 else ""
        about = f"{data[0].name}{more}  {told}".rstrip() if data else ""
        sides += [("   " + label, mark), f" {side.array}/{about}"]
    text, kind = state.sentence, Tone.PLAIN
    if not fresh:
        heard = moment(scene.view.as_of(source), scene.now)
        text, kind = f"as of {heard}: {text}", Tone.UNKNOWN
    sentence = (fit(spans((f" {part}", kind)), width) for part in wrap(text, width - 2))
    return fit(spans(*steps), width), *sentence, fit(spans(*sides), width)


def _data_size(side: GroupStatus) -> str:
    """How large the data volumes of a side are together."""
    return size(sum(volume.size_bytes for volume in side.volumes if volume.role == "data"))


def _here(state: ReplicationState, *, fresh: bool) -> Span:
    """The state that the source is in."""
    return (
        (f"[{state.value}]", STATE_TONES[state]) if fresh else (f"[{state.value}?]", Tone.UNKNOWN)
    )


def _flow(scene: Scene, couple: Couple, width: int) -> list[Line]:
    """What is written, and what copies send."""
    flow = scene.view.flows.get(couple.source.name, Flow())
    lines = [rule(_flow_title(flow), width)]
    fresh = scene.view.fresh(couple.source)
    count = flow.writes_per_second
    per_second = UNKNOWN if count is None or not fresh else f"{count:.0f}/s"
    for label, rate, number, counter in (
        ("written", flow.bytes_per_second, per_second, "written_bytes"),
        ("copied", flow.copied_per_second, "", "copied_bytes"),
    ):
        if counter == "copied_bytes" and not (any(flow.course(counter)) or couple.source.progress):
            continue
        text = f" {cell(label, 8)}{cell(rate_text(rate if fresh else None), 12, right=True)}"
        text += f" {cell(number, 9, right=True)}  "
        course = graph(flow.course(counter), max(width - len(text) - 1, 8))
        lines.append(fit(spans(text, (course, Tone.WORKING)), width))
    return lines


def _flow_title(flow: Flow) -> str:
    """The heading, with the time that the graphs span."""
    if len(flow.samples) < 2:  # noqa: PLR2004 - two counts make a rate
        return "Flow"
    return f"Flow, last {duration(flow.samples[-1].unix - flow.samples[0].unix)}"


def _copy(couple: Couple, width: int) -> list[Line]:
    """The copy that runs; nothing while none does."""
    progress = couple.source.progress
    if progress is None:
        return []
    most = couple.source.copy_share_bytes_per_second
    shared = [fit(spans(f"   may take {size(round(most))}/s"), width)] if most else []
    return [rule("Copy", width), *copy_lines(progress, width), *shared]


def _logs(scene: Scene, couple: Couple, width: int) -> list[Line]:
    """Both logs, and for how long they would bridge the loss of the peer."""
    lines = [rule("Logs", width)]
    for label, side in zip(("source", "dest"), couple.sides, strict=False):
        fill = log_fill(side)
        log = next((volume.name for volume in side.volumes if volume.role == "log"), UNKNOWN)
        if fill is None:
            lines.append(fit(spans(f" {cell(label, 7)} {log}: not in use"), width))
            continue
        free = (
            f"{round(100 * fill):>3}%  {size(side.log_bytes_free)} free of {size(side.log_bytes)}"
        )
        shown = sure(f"{bar(fill, 8)} {free}", fresh=scene.view.fresh(side))
        lines.append(fit(spans(f" {cell(label, 7)} {cell(log, 14)} ", shown), width))
    source = couple.source
    flow = scene.view.flows.get(source.name, Flow())
    rate = flow.bytes_per_second
    if not source.log_bytes or not scene.view.fresh(source):
        return lines
    covered = flow.covered_seconds(source.log_bytes_free)
    if rate is None:
        text = "how long it bridges an outage is not known yet: no rate was measured"
    elif covered is None:
        text = "nothing is written: the log bridges any outage"
    else:
        text = (
            f"bridges an outage of {duration(covered)} at {rate_text(rate)}, then blocks are copied"
        )
    return [*lines, *(fit(spans((f" {part}", Tone.DIM)), width) for part in wrap(text, width - 2))]


def _point(scene: Scene, couple: Couple, width: int) -> list[Line]:
    """Whether a failover is possible now, and what it would lose."""
    source = couple.source
    fresh = scene.view.fresh(source)
    lines = [rule("Recovery point", width)]
    ready = ready_span(source, fresh=fresh)
    lines.append(fit(spans(" failover ready: ", ready), width))
    because = wrap(f"because {source.failover_ready_reason}", width - 4) if fresh else ()
    if len(because) == 1 and len(because[0]) + 23 <= width:
        lines[-1] = fit(spans(" failover ready: ", ready, f", {because[0]}"), width)
    else:
        lines += [fit(spans(f"   {part}"), width) for part in because]
    # Before the first copy ends, and after a split, no count says what the destination lacks.
    known = fresh and source.rpo_seconds is not None
    behind = size(source.bytes_behind) if known else UNKNOWN
    rpo = (duration(source.rpo_seconds), Tone.BOLD) if fresh else (UNKNOWN, Tone.UNKNOWN)
    lines.append(fit(spans(" RPO ", rpo, f"   not yet at the destination: {behind}"), width))
    lines += forecast_lines(scene, source, width)
    where: list[Piece] = [" LSN ", sure(str(source.acked_lsn), fresh=fresh), "  logged/applied:"]
    for label, side in zip(("source", "dest"), couple.sides, strict=False):
        text = f"{side.durable_lsn}/{side.applied_lsn}"
        place: list[Piece] = [f" {label} ", sure(text, fresh=scene.view.fresh(side))]
        if width_of(spans(*where, *place)) > width:
            lines.append(fit(spans(*where), width))
            where = [" " * 4]
        where += place
    lines.append(fit(spans(*where), width))
    policy = f" without the peer: {source.on_peer_loss}   acknowledged: {source.ack_mode}"
    verified = _verified(source, scene.now)
    return [*lines, *(fit(spans((text, Tone.DIM)), width) for text in (policy, verified) if text)]


def _verified(source: GroupStatus, now: float) -> str:
    """When both sides were compared last, and what was found; nothing where nobody knows."""
    known = source.verification
    if known is None:
        return ""
    if known.last_unix is None:
        return " last verify: never to the end (v)"
    found = "clean" if known.clean else f"{known.wrong_blocks} blocks wrong"
    return f" last verify: {moment(known.last_unix, now)}, {found}"


def _reasons(scene: Scene, couple: Couple, width: int) -> list[Line]:
    """Why the health is not normal, and what to type."""
    if not couple.reasons:
        return []
    lines = [rule(f"Why {couple.health.value}", width)]
    for side, reason in couple.reasons:
        lines.append(fit(spans(f" {code_of(reason)} {side.name}: {reason.text}"), width))
    lines += split_lines(couple.source, scene.now, width)
    paused = any(reason.code == "suspended" for _, reason in couple.reasons)
    waiting = [side for side in couple.sides if side.waiting_on and not paused]
    lines += [fit(spans(f" {s.name} waits for: {s.waiting_on}"), width) for s in waiting]
    if mend := mend_of_sides(couple.sides):
        lines.append(fit(spans(" mend   ", (mend, Tone.KEY)), width))
    return lines


def _users(scene: Scene, couple: Couple, width: int) -> list[Line]:
    """The machines whose disk is in the group."""
    machines = [vm for side in couple.sides for vm in side.vms]
    if not machines:
        return []
    doubt = "" if scene.view.told else "?"
    lines = []
    for vm in machines:
        text = f" VM {cell(vm.name, 12)} {vm.state}{doubt} on {vm.array}, {vm.volume}"
        lines.append(fit(spans(f"{text}, {vm.written_records}{doubt} records"), width))
    return [rule("Virtual machines", width), *lines] if scene.wide else lines


def _following(source: GroupStatus, width: int) -> list[Line]:
    """What can happen next to a group in this state, from the table of transitions."""
    lines = [rule("What can follow", width)]
    state = source.replication_state
    for transition in TRANSITIONS:
        if state in transition.before:
            after = " or ".join(sorted(word.value for word in transition.after))
            lines.append(fit(spans((f" {transition.trigger.value}", Tone.DIM)), width))
            lines += [fit(spans(f"   → {part}"), width) for part in wrap(after, width - 6)]
    return lines


def _events(scene: Scene, couple: Couple, count: int, width: int) -> list[Line]:
    names = frozenset(side.name for side in couple.sides)
    return event_lines(scene, count, width, names)
