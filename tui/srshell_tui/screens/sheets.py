"""Screens to read: the page of a report, the help of a screen."""

from __future__ import annotations

from typing import Final

from srshell.fabric.pages import Page
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.scene import Scene
from srshell_tui.screens.wizard import page_lines
from srshell_tui.store import Contact
from srshell_tui.text import Drawing, Line, Tone, cell, fit, rule, spans, wrap

_KEYS: tuple[Key, ...] = (("↑ ↓", "scroll"), ("x", "export"), ("esc", "back"))

#: What each screen is for.
ABOUT: Final[dict[str, str]] = {
    "overview": "The whole fabric: arrays, replications with the worst first, why the chosen one "
    "is as it is, what happened last. READY says whether a failover now would lose nothing.",
    "group": "One replication: its way through the states, what is written, how full both logs "
    "are and which outage they bridge, what a failover would lose.",
    "volumes": "All volumes, the groups that they are in and the machines on them.",
    "events": "What happened, the newest first; the chosen one with the meaning of its code.",
    "jobs": "What goes on in the owner, with steps and progress. Jobs outlive this screen.",
}
#: Keys of every screen, then those of one.
EVERYWHERE: Final[tuple[Key, ...]] = (
    ("1 2 3 4 5", "overview, group, volumes, events, jobs"),
    ("↑ ↓ j k g G", "move"), ("enter", "open what is chosen"), ("esc backspace", "back"),
    ("[ ]", "earlier and later views"), ("/", "find: text or expression, !x for its absence"),
    (":", "a command line, as after srshell in a shell; tab completes"),
    ("ctrl+p", "palette: all commands and objects"),
    ("z", "only what is not Normal; of events, those that are alike as one"),
    ("s f l", "sort; of events: follow the newest, only important ones"),
    ("E", "explain what is chosen"),
    ("x", "export this screen as text and SVG"), ("+ -", "look more or less often"),
    ("?", "this help"), ("q", "quit; nothing but this screen ends"),
)  # fmt: skip
CHANGING: Final[tuple[Key, ...]] = (
    ("F", "fail over"), ("B", "fail back"), ("p", "suspend or resume"),
    ("K", "resolve a split brain"), ("X", "tear down"), ("P", "provision volumes for a pair"),
    ("v", "verify (changes nothing)"), ("t", "test the topology (changes nothing)"),
)  # fmt: skip
#: Keys of a replay, in place of those that change something.
REPLAYING: Final[tuple[Key, ...]] = (
    ("space", "let time go on, or stop it"), ("← →", "one frame back or on"),
    ("{ }", "one minute back or on"), ("N n", "to the event before or after"),
    ("< >", "slower, faster"), ("T", "to a time: 12:01:07, 2026-03-02 12:01, 5m before the end"),
)  # fmt: skip


def draw_page(scene: Scene, title: str, page: Page, scroll: int) -> Drawing:
    """A page, from the line that it was scrolled to."""
    lines = page_lines(page, scene.width)
    room = scene.height - 3
    first = min(scroll, max(len(lines) - room, 0))
    return compose(scene, (top(scene, (title,)),), Body(lines[first:]), _KEYS)


def draw_help(scene: Scene, scroll: int, link: str) -> Drawing:
    """The help of the screen that was left for it."""
    width = scene.width
    screen = scene.look.screen
    lines: list[Line] = [rule(f"The {screen} screen", width)]
    lines += [fit(spans(f" {part}"), width) for part in wrap(ABOUT[screen], width - 2)]
    lines.append(rule("Keys", width))
    lines += [_key_line(key, width) for key in EVERYWHERE]
    if scene.view.contact is Contact.PAST:
        lines.append(rule("The replay: the past, which acts on nothing", width))
        lines += [_key_line(key, width) for key in REPLAYING]
    elif not scene.read_only:
        lines.append(rule("What changes something: a plan first, then a name to type", width))
        lines += [_key_line(key, width) for key in CHANGING]
    lines += [rule("Link", width), fit(spans(f" {link}"), width)]
    room = scene.height - 3
    first = min(scroll, max(len(lines) - room, 0))
    return compose(scene, (top(scene, ("Help",)),), Body(lines[first:]), _KEYS)


def _key_line(key: Key, width: int) -> Line:
    return fit(spans((f" {cell(key[0], 13)} ", Tone.KEY), key[1]), width)
