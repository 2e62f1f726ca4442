"""Every golden picture: its name, and how it is drawn.  ``python -m tests.tui.gallery`` draws all.

Always true: a picture depends on nothing but its entry here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from srshell.model.inventory import Job, JobState, Step, StepState
from srshell.model.report import CheckRow, PlanReport, RoleChange, StepRow
from srshell.model.topology import TopologyReport
from srshell_tui import wizard as wizards
from srshell_tui.options import ANSI, LIGHT, MONO, Options
from srshell_tui.portrait import svg_of
from srshell_tui.reel import Reel
from srshell_tui.scene import Tape, couples
from srshell_tui.screens import draw
from srshell_tui.screens.sheets import draw_help, draw_page
from srshell_tui.screens.topology import TopologyTest, draw_topology
from srshell_tui.screens.wizard import draw_wizard
from srshell_tui.shot import Shot
from srshell_tui.store import FabricView, hear, lose, seek
from srshell_tui.text import Drawing, to_ascii
from tests.tui import states, topologies

GOLDEN = Path(__file__).parent / "golden"
NOW = states.NOW


def sync() -> FabricView:
    return states.view_of(*states.running(states.picture()))


def copying() -> FabricView:
    return states.view_of(*states.running(states.picture(*states.COPYING)))


def early() -> FabricView:
    return states.view_of(states.picture(*states.EARLY))


def alone() -> FabricView:
    return states.view_of(*states.running(states.picture(*states.ALONE)))


def split() -> FabricView:
    return states.view_of(states.picture(*states.SPLIT))


def suspended() -> FabricView:
    return states.view_of(states.picture(*states.SUSPENDED))


def empty() -> FabricView:
    return states.view_of(states.EMPTY)


def connecting() -> FabricView:
    return seek(lose(FabricView(since=NOW), "SR9001 no process answers", NOW))


def lost() -> FabricView:
    return seek(seek(lose(sync(), "the owner ended", NOW + 30)))


def stranger() -> FabricView:
    view = lose(sync(), "the owner ended", NOW + 30)
    other = states.picture(info=states.info(identity="e" * 32))
    return hear(view, other, NOW + 40)


def reel(count: int) -> Reel:
    """A recording, a frame each second; something happens in the sixth."""
    first, *rest = states.running(states.picture(events=states.EVENTS[:2]), seconds=count)
    frames = [first, *rest][:count]
    if count > 5:
        frames[5] = attrs.evolve(frames[5], events=states.EVENTS[2:3])
    return Reel(tuple(frames))


def replayed() -> FabricView:
    """A moment of the past, in which all was well."""
    return reel(10).view_at(6)


def many() -> FabricView:
    """More groups than a screen has lines."""
    rows = [attrs.evolve(states.side(), name=f"Grp{number:03}", peer=None) for number in range(40)]
    return states.view_of(states.picture(*rows))


def hostile() -> FabricView:
    """Texts that try to move the cursor, to turn round, and to be wider than any screen."""
    text = "\x1b[2J\x07\u202eevil\u2066 [bold]markup[/bold] 漢字" + "w" * 200
    rows = states.both(failover_ready=False, failover_ready_reason=text, waiting_on=text)
    events = (states.event(1, "error", text, "SR5201", text, text),)
    return states.view_of(states.picture(*rows, events=events))


def repeated() -> FabricView:
    """The same, again and again; something else in between."""
    texts = [*(f"the log of PriRG is {fill}% full" for fill in (41, 44, 47, 52, 49, 61, 66))]
    events = [states.event(n, "warning", "PriRG", "SR5304", t) for n, t in enumerate(texts, 1)]
    events[2] = states.event(3, "info", "PriRG", "SR5201", "PriRG is in sync")
    return states.view_of(states.picture(events=tuple(events)))


def screen(view: Callable[[], FabricView], name: str, size: str, **changes: Any) -> Drawing:  # noqa: ANN401
    """One of the board's screens."""
    width, height = (int(part) for part in size.split("x"))
    known = view()
    return draw(states.scene(known, name, width, height, **changes))


def plan(**changes: Any) -> PlanReport:  # noqa: ANN401
    """The plan of a failover."""
    made = PlanReport(
        "failover PriRG --planned",
        (
            StepRow("seal", "drain PriRG and seal both logs at one LSN"),
            StepRow("demote", "PriRG gives up its role, durably"),
            StepRow("promote", "RecRG becomes primary in a new epoch"),
        ),
        confirm="RecRG",
        about_seconds=3.0,
        unavailable=(
            "no writes to PriRG while the roles change: 2.1 s last time",
            "PrimaryVol at ClusterA takes no writes",
        ),
        measured=(
            CheckRow("SR6013", "holds", "PriRG leads and is Synchronizing"),
            CheckRow("SR5203", "holds", "epoch 7, LSN 8841203, 7 GiB of the log free"),
            CheckRow("SR6004", "holds", "ClusterB lacks 0 B"),
        ),
        inverse=("srshell failback RecRG --confirm PriRG",),
    )
    return attrs.evolve(made, **changes)


def volumes_plan() -> PlanReport:
    """The plan of many volumes; more than a small screen has room for."""
    names = [f"{stem}{number}" for number in range(4) for stem in ("Data", "Copy", "Log", "Tail")]
    return PlanReport(
        "provision",
        tuple(StepRow(name, f"create ClusterA/PoolA/{name} 8 MiB block 4096") for name in names),
        measured=tuple(CheckRow("SR2005", "holds", f"{name}: 64 GiB free") for name in names),
        inverse=tuple(f"srshell volume rm {name} --confirm {name}" for name in names),
        taken_bytes=128 << 20,
    )


def wizard(kind: str, size: str = "80x24") -> Drawing:
    """A failover at one of its stages."""
    width, height = (int(part) for part in size.split("x"))
    view = sync()
    scene = states.scene(view, width=width, height=height)
    return draw_wizard(scene, WIZARDS[kind](wizards.failover(couples(view)[0])))


_JOB = Job(
    19, "failover PriRG --planned", "RecRG", JobState.RUNNING, NOW,
    steps=(
        Step("seal", "drain PriRG and seal both logs at one LSN", StepState.DONE, NOW, NOW + 0.4),
        Step("demote", "PriRG gives up its role, durably", StepState.BEGUN, NOW + 0.4),
        Step("promote", "RecRG becomes primary in a new epoch"),
    ),
)  # fmt: skip
_DONE = RoleChange(
    "failover", "RecRG", 8, 0, 0, 2.6,
    tuple(StepRow(step.name, step.text, StepState.DONE, 0.9) for step in _JOB.steps),
    write_outage_seconds=2.1,
)  # fmt: skip
_REFUSED = SrError.make(
    "SR6004", "loss: 4.1 MiB in 12 writes", group="PriRG", loss="4299161", target="RecRG"
)
_UNPLANNED = "failover PriRG --unplanned --accept-loss unknown"

WIZARDS: dict[str, Callable[[wizards.Wizard], wizards.Wizard]] = {
    "choose": lambda w: w,
    "confirm": lambda w: w.choose().planned(plan()),
    "mistyped": lambda w: w.choose().planned(plan()).typed("PriRG"),
    "loss": lambda _: wizards.of_line(_UNPLANNED).planned(
        plan(
            lost_bytes=None,
            inverse=None,
            checks=(CheckRow("SR6006", "warning", "DemoVM runs on ClusterA", 69),),
        )
    ),
    "run": lambda w: attrs.evolve(w.choose().planned(plan()).typed("RecRG"), job=_JOB),
    "done": lambda w: w.choose().planned(plan()).typed("RecRG").finished(_DONE),
    "refused": lambda w: w.choose().refused(_REFUSED),
    "failed": lambda w: attrs.evolve(w.choose().planned(plan()).typed("RecRG"), job=_JOB).refused(
        _REFUSED
    ),
    "yes-or-no": lambda _: wizards.of_line("suspend PriRG").planned(
        PlanReport(
            "suspend PriRG",
            (StepRow("suspend", "pause PriRG > RecRG"),),
            inverse=("srshell resume PriRG",),
        )
    ),
    "long": lambda _: wizards.of_line("provision Data0 Copy0 --size 8M").planned(volumes_plan()),
    "asking": lambda _: (
        wizards.provision_pair(["ClusterA/PoolA", "ClusterB/PoolB"]).answer("").answer("CopyVol")
    ),
}


def help_page(size: str, **changes: Any) -> Drawing:  # noqa: ANN401
    """The help of the group screen."""
    width, height = (int(part) for part in size.split("x"))
    scene = states.scene(sync(), "group", width, height, **changes)
    return draw_help(scene, 0, "connected, frame 31, one in 1 s; drawn 58, left out 2")


def topology(report: TopologyReport | None, size: str) -> Drawing:
    """A topology test, while it is measured or with what it found."""
    width, height = (int(part) for part in size.split("x"))
    scene = states.scene(sync(), width=width, height=height)
    return draw_topology(scene, TopologyTest("ClusterA", "ClusterB", 10.0, report))


def answer() -> Drawing:
    """The page of a refused command."""
    from srshell_tui.wizard_sheet import error_page  # noqa: PLC0415 - loads Textual

    scene = states.scene(sync())
    return draw_page(scene, "failover PriRG --unplanned", error_page(_REFUSED), 0)


Draw = Callable[[], Drawing]


def pictures() -> dict[str, Draw]:
    """Every picture by its name."""
    views = (sync, copying, early, alone, split, suspended, empty, connecting, lost, stranger)
    found: dict[str, Draw] = {}
    for view in views:
        found[f"overview-{view.__name__}-80x24"] = partial(screen, view, "overview", "80x24")
        found[f"group-{view.__name__}-80x24"] = partial(screen, view, "group", "80x24")
    for view in (copying, alone, split, lost):
        found[f"overview-{view.__name__}-140x40"] = partial(screen, view, "overview", "140x40")
        found[f"group-{view.__name__}-140x40"] = partial(screen, view, "group", "140x40")
    for name in ("volumes", "events", "jobs"):
        for view, size in ((sync, "80x24"), (empty, "80x24"), (alone, "140x40"), (lost, "80x24")):
            key = f"{name}-{view.__name__}-{size}"
            found[key] = partial(screen, view, name, size)
    for kind in WIZARDS:
        found[f"wizard-{kind}-80x24"] = partial(wizard, kind)
    for kind in ("confirm", "run", "failed"):
        found[f"wizard-{kind}-140x40"] = partial(wizard, kind, "140x40")
    return found | _ODD


TAPE = Tape(2 / 3, 7, 10, NOW, NOW + 9)
_ODD: dict[str, Draw] = {
    "topology-measuring-80x24": lambda: topology(None, "80x24"),
    "topology-ready-80x24": lambda: topology(topologies.ready(), "80x24"),
    "topology-broken-80x24": lambda: topology(topologies.broken(), "80x24"),
    "topology-broken-140x40": lambda: topology(topologies.broken(), "140x40"),
    "overview-many-80x24": lambda: screen(
        many, "overview", "80x24", cursors={"overview": "Grp030"}, sort="name"
    ),
    "overview-filter-80x24": lambda: screen(
        many, "overview", "80x24", filters={"overview": "grp00"}, message="10 groups"
    ),
    "overview-nothing-found-80x24": lambda: screen(
        many, "overview", "80x24", filters={"overview": "!grp"}
    ),
    "overview-hostile-80x24": lambda: screen(hostile, "overview", "80x24"),
    "group-hostile-140x40": lambda: screen(hostile, "group", "140x40"),
    "events-hostile-80x24": lambda: screen(hostile, "events", "80x24"),
    "events-warnings-80x24": lambda: screen(
        sync, "events", "80x24", level="warning", follow=False, filters={"events": "log"}
    ),
    "events-folded-80x24": lambda: screen(repeated, "events", "80x24"),
    "events-apart-80x24": lambda: screen(
        repeated, "events", "80x24", fold=False, follow=False, cursors={"events": "2"}
    ),
    "jobs-failed-80x24": lambda: screen(
        lambda: states.view_of(states.picture(jobs=(states.FAILED_JOB, *states.JOBS))),
        "jobs", "80x24",
    ),
    "group-gone-80x24": lambda: screen(sync, "group", "80x24", group="OldRG"),
    "group-read-only-80x24": lambda: screen(sync, "group", "80x24", read_only=True),
    "overview-alone-60x15": lambda: screen(alone, "overview", "60x15"),
    "overview-alone-100x20": lambda: screen(alone, "overview", "100x20"),
    "overview-alone-30x6": lambda: screen(alone, "overview", "30x6"),
    "overview-alone-200x60": lambda: screen(alone, "overview", "200x60"),
    "overview-replayed-80x24": lambda: screen(replayed, "overview", "80x24", tape=TAPE),
    "group-replayed-140x40": lambda: screen(
        replayed, "group", "140x40", tape=attrs.evolve(TAPE, playing=True, speed=10.0)
    ),
    "help-replayed-80x40": lambda: draw_help(
        states.scene(replayed(), "group", 80, 40, tape=TAPE), 0, "replay"
    ),
    "help-80x24": lambda: help_page("80x24"),
    "help-read-only-140x40": lambda: help_page("140x40", read_only=True),
    "page-refused-80x24": answer,
}  # fmt: skip


def ascii_text(drawing: Drawing) -> str:
    """The picture on a terminal that knows only ASCII."""
    return Drawing(tuple(to_ascii(line) for line in drawing.lines)).text()


#: Pictures with their colours, or without: view, screen, theme.
COLOURED: dict[str, tuple[Callable[[], FabricView], str, str]] = {
    "overview-alone-light": (alone, "overview", LIGHT),
    "group-split-mono": (split, "group", MONO),
    "jobs-lost-ansi": (lost, "jobs", ANSI),
}


async def coloured(name: str) -> str:
    """A screen as the application shows it in a theme."""
    view, screen_name, theme = COLOURED[name]
    options = Options(FabricPlace(Path("no-such-fabric")), start=False, theme=theme)
    return await svg_of(Shot(screen_name, group="PriRG"), view(), options)


def main() -> None:
    """Draw all pictures anew."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    GOLDEN.mkdir(exist_ok=True)
    wanted = pictures()
    for old in GOLDEN.glob("*.txt"):
        if old.stem not in wanted:
            old.unlink()
    for name, make in wanted.items():
        (GOLDEN / f"{name}.txt").write_text(make().text(), encoding="utf-8")
    for name in COLOURED:
        picture = asyncio.run(coloured(name))
        (GOLDEN / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
