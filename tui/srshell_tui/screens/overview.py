"""The whole fabric at a glance: is the data safe, and if not, why and what to do.

Always true: the worst health of all groups is in the second line, in symbol, word and colour.
"""

from __future__ import annotations

from collections import Counter

import attrs

from srshell.fabric.mending import code_of, mend_of_sides
from srshell.fabric.pages.words import UNKNOWN, size
from srshell.model.report import ArrayReport
from srshell.model.states import ReplicationHealth
from srshell_tui.frame import Body, Key, compose, fabric_name, top
from srshell_tui.marks import SITE_TONES, health_span, marked, ready_span, state_span
from srshell_tui.scene import (
    Couple,
    Scene,
    brief,
    chosen_index,
    couples,
    moment,
    shown_couples,
    sure,
)
from srshell_tui.scene import window as window_of
from srshell_tui.screens.parts import (
    event_lines,
    fill_percent,
    group_panel,
    job_lines,
    machine_lines,
    progress_text,
    rate_text,
)
from srshell_tui.text import (
    Column,
    Drawing,
    Line,
    Piece,
    Tone,
    bar,
    beside,
    fit,
    head,
    row,
    rule,
    spans,
)

_KEYS: tuple[Key, ...] = (
    ("?", "help"), (":", "command"), ("/", "find"), ("enter", "open"), ("F", "failover"),
    ("z", "problems"), ("s", "sort"), ("3", "volumes"), ("4", "events"), ("5", "jobs"),
    ("q", "quit"), ("ctrl+p", "palette"), ("P", "provision"), ("x", "export"),
)  # fmt: skip
_RIGHT_WIDTH = 47
_ARRAYS_MAX = 4


def draw_overview(scene: Scene) -> Drawing:
    """The overview."""
    info = scene.view.info
    owner = f" fabric {fabric_name(scene)}"
    owner += f"  owner {info.owner_pid}" if info else ""
    if scene.wide and info:
        owner += f"  profile {info.profile}" + ("  sandbox" if info.sandbox else "")
    first = (top(scene, (), owner), _summary(scene))
    room = scene.height - len(first) - 2
    found = shown_couples(scene)
    keys = tuple(couple.source.name for couple in found)
    chosen = chosen_index(keys, scene.look.cursor)
    body = _wide(scene, found, chosen, room) if scene.wide else _narrow(scene, found, chosen, room)
    body = attrs.evolve(body, rows=keys)
    changing = {"failover", "provision"} if scene.read_only else set()
    return compose(scene, first, body, [key for key in _KEYS if key[1] not in changing])


def _summary(scene: Scene) -> Line:
    """The second line: the worst health, counts, the worst recovery point, what is written."""
    view = scene.view
    found = couples(view)
    counts = Counter(couple.health for couple in found)
    worst = next(
        (health for health in (ReplicationHealth.CRITICAL, ReplicationHealth.WARNING,
                               ReplicationHealth.NORMAL) if counts[health]),
        ReplicationHealth.NOT_APPLICABLE,
    )  # fmt: skip
    health = health_span(worst)
    if not view.told:
        health = (f"{health[0]}?", Tone.UNKNOWN)
    count = f" ({counts[worst]})" if worst in {
        ReplicationHealth.CRITICAL, ReplicationHealth.WARNING} else ""  # fmt: skip
    rates = [flow.bytes_per_second for flow in view.flows.values()]
    known = [rate for rate in rates if rate is not None]
    writes = rate_text(sum(known)) if known and view.told else UNKNOWN
    return fit(
        spans(
            " HEALTH ",
            health,
            f"{count}  arrays {len(view.arrays)}  groups {len(view.status)}  VMs {len(view.vms)}",
            "  worst RPO ",
            (_worst_rpo(scene, found), Tone.BOLD),
            f"  writes {writes}",
        ),
        scene.width,
    )


def _worst_rpo(scene: Scene, found: tuple[Couple, ...]) -> str:
    """The largest recovery point of all groups that are protected; a dash when one is unknown."""
    points = [couple.source.rpo_seconds for couple in found if couple.other]
    if not points or not scene.view.told or any(point is None for point in points):
        return UNKNOWN
    return brief(max(point for point in points if point is not None))


# --- parts ----------------------------------------------------------------------------------------


def _arrays(scene: Scene) -> list[Line]:
    """Arrays, their sites and how full they are."""
    width = scene.width
    columns = [Column("NAME", 14), Column("SITE", 10), Column("PEER", 14), Column("SITE STATE", 12)]
    columns += [Column("USED", 13), Column("FREE", 9, right=True)]
    if scene.wide:
        columns += [Column("POOLS", 22), Column("PROCESS", 9, right=True)]
    lines = [rule("Arrays", width), head(columns, width)]
    sites = {site.array: site for site in scene.view.info.sites} if scene.view.info else {}
    for array in list(scene.view.arrays.values())[:_ARRAYS_MAX]:
        site = sites.get(array.name)
        state = site.state if site else UNKNOWN
        tone = SITE_TONES.get(state, Tone.UNKNOWN)
        word, tone = marked(tone, state) if scene.view.told else (f"{state}?", Tone.UNKNOWN)
        used, free = _usage(array)
        cells: list[Piece] = [array.name, array.site, array.peer or UNKNOWN, (word, tone)]
        cells += [f"{bar(used, 8)} {round(100 * used):>2}%", size(free)]
        if scene.wide:
            pools = ", ".join(pool.name for pool in array.pools)
            cells += [pools or UNKNOWN, str(site.pid or UNKNOWN) if site else UNKNOWN]
        lines.append(row(columns, cells, width))
    hidden = len(scene.view.arrays) - _ARRAYS_MAX
    if hidden > 0:
        lines.append(fit(spans((f"   and {hidden} more, see :arrays", Tone.DIM)), width))
    if not scene.view.arrays:
        text = "none yet: :identify, then :discover" if scene.view.info else "not heard of yet"
        lines.append(fit(spans((f"   {text}", Tone.DIM)), width))
    return lines


def _usage(array: ArrayReport) -> tuple[float, int]:
    """The share of an array that is taken, and its free bytes."""
    total = sum(pool.size_bytes for pool in array.pools)
    free = sum(pool.free_bytes for pool in array.pools)
    return (1 - free / total if total else 0.0), free


_NARROW = (
    Column("GROUP", 15), Column("STATE", 23), Column("HEALTH", 10),
    Column("LOG s/d", 9, right=True), Column("RPO", 7, right=True), Column("READY", 5),
)  # fmt: skip
_WIDE = (
    Column("GROUP", 19), Column("STATE", 23), Column("HEALTH", 12), Column("WRITE", 11, right=True),
    Column("RPO", 9, right=True), Column("READY", 5),
)  # fmt: skip


def _groups(
    scene: Scene, found: tuple[Couple, ...], chosen: int | None, width: int, room: int
) -> Body:
    """The table of replications."""
    look = scene.look
    marks = [f"sort: {look.sort} (s)"]
    marks += [f"find: {look.filter}"] if look.filter else []
    marks += ["problems only (z)"] if look.problems_only else []
    columns = _WIDE if scene.wide else _NARROW
    lines = [rule("Replication groups", width, "  ".join(marks)), head(columns, width)]
    first, end = window_of(len(found), chosen, max(room - len(lines), 1))
    for index, couple in enumerate(found[first:end], first):
        cells = _group_cells(scene, couple)
        lines.append(row(columns, cells, width, chosen=index == chosen))
    if not found:
        text = "nothing passes the filter" if scene.view.status else "no group yet: P provision"
        text = text if scene.view.info else "not heard of yet"
        lines.append(fit(spans((f"   {text}", Tone.DIM)), width))
    cursor = None if chosen is None else 2 + chosen - first
    return Body(lines, cursor, shown=(first, end))


def _group_cells(scene: Scene, couple: Couple) -> list[Piece]:
    """The cells of one replication."""
    source = couple.source
    fresh = scene.view.fresh(source)
    state, tone = state_span(source.replication_state)
    health, health_tone = health_span(couple.health)
    cells: list[Piece] = [
        couple.title.replace(" > ", ">"),
        sure(state, tone, fresh=fresh),
        sure(health, health_tone, fresh=fresh),
    ]
    rpo = brief(source.rpo_seconds) if fresh else UNKNOWN
    if scene.wide:
        flow = scene.view.flows.get(source.name)
        rate = flow.bytes_per_second if flow else None
        cells.append(rate_text(rate) if fresh else UNKNOWN)
    else:
        fills = [fill_percent(side) for side in couple.sides]
        doubts = ["" if scene.view.fresh(side) else "?" for side in couple.sides]
        cells.append("/".join(a + b for a, b in zip(fills, doubts, strict=True)))
    return [*cells, rpo, ready_span(source, fresh=fresh)]


def _why(scene: Scene, couple: Couple | None, width: int, lines_max: int) -> list[Line]:
    """Why the chosen replication is as it is, and what to type."""
    if couple is None:
        return [rule("Why", width)]
    title = f"Why {couple.health.value}: {couple.title}" if couple.reasons else couple.title
    lines = [rule(title, width)]
    source = couple.source
    if not scene.view.fresh(source):
        as_of = moment(scene.view.as_of(source), scene.now)
        lines.append(fit(spans((f" last heard of {source.name} at {as_of}", Tone.UNKNOWN)), width))
    for side, reason in couple.reasons:
        text = f" {code_of(reason)} {side.name}: {reason.text}"
        lines.append(fit(spans(text), width))
    if source.progress:
        text = f" {source.name}: {progress_text(source.progress)}"
        lines.append(fit(spans((text, Tone.WORKING)), width))
    last: list[Line] = []
    if mend := mend_of_sides(couple.sides):
        last.append(fit(spans(" mend   ", (mend, Tone.KEY)), width))
    if couple.other and scene.view.fresh(source):
        ready = "yes" if source.failover_ready else "no"
        sentence = f" failover ready: {ready}, because {source.failover_ready_reason}"
        last.append(fit(spans(sentence), width))
    return [*lines[: lines_max - len(last)], *last]


def _narrow(scene: Scene, found: tuple[Couple, ...], chosen: int | None, room: int) -> Body:
    """One column."""
    width = scene.width
    arrays = _arrays(scene)
    couple = None if chosen is None else found[chosen]
    why = _why(scene, couple, width, 6)
    events = [rule("Events", width, "all (4)"), *event_lines(scene, 4, width)]
    left = room - len(arrays) - len(why) - len(events)
    groups = _groups(scene, found, chosen, width, max(left, 5))
    empty = [fit((), width)] * (left - len(groups.lines))
    at = None if groups.cursor is None else len(arrays) + groups.cursor
    lines = (*arrays, *groups.lines, *empty, *why, *events)
    return Body(lines, at, shown=groups.shown)


def _wide(scene: Scene, found: tuple[Couple, ...], chosen: int | None, room: int) -> Body:
    """Two columns between the arrays and the events."""
    left_width = scene.width - _RIGHT_WIDTH - 1
    arrays = _arrays(scene)
    couple = None if chosen is None else found[chosen]
    events_count = max(min(8, room // 4), 4)
    events = [
        rule("Events", scene.width, "all (4)"),
        *event_lines(scene, events_count, scene.width),
    ]
    middle = room - len(arrays) - len(events)
    why = _why(scene, couple, left_width, 8)
    groups = _groups(scene, found, chosen, left_width, max(middle - len(why), 5))
    empty = [fit((), left_width)] * (middle - len(why) - len(groups.lines))
    right = group_panel(scene, couple, _RIGHT_WIDTH) + machine_lines(scene, _RIGHT_WIDTH)
    right += job_lines(scene, _RIGHT_WIDTH, 4)
    both = beside((*groups.lines, *empty, *why), right[:middle], left_width, scene.width)
    at = None if groups.cursor is None else len(arrays) + groups.cursor
    return Body((*arrays, *both, *events), at, (), left_width, groups.shown)
