"""Commands that draw: the dashboard and pictures of its screens.

Always true: each is a process of its own, which the command line starts and never imports.
"""

from __future__ import annotations

from srshell.fabric.command_parts import choice, flag, option
from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind, Noun, Role

_THEMES = ("dark", "light", "ansi", "mono")
#: The screens that can be looked at and drawn.
SCREEN_NAMES = ("overview", "group", "volumes", "events", "jobs", "topology", "help")

SCREENS = (
    CommandSpec(
        "dash",
        "",
        "Watch and steer the fabric on a screen in this terminal",
        "srshell dash",
        Effect.RUNS,
        (
            flag("--read-only", "change nothing from here"),
            flag("--plain", "lines instead of a screen: for screen readers, logs, slow lines"),
            flag("--web", "serve it to a browser of this machine, read-only"),
            flag("--changes", "with --web: let the browser change things, too"),
            option("--port", "with --web: the port; otherwise any that is free", kind=Kind.NUMBER),
            flag("--ascii", "draw with ASCII alone"),
            choice("--theme", "colours; otherwise what the terminal can show", _THEMES, None),
            option("--every", "from one look to the next", kind=Kind.SECONDS, metavar="SECONDS"),
            option("--record", "write down what is heard, for srshell shot", Noun.PLACE),
            flag("--replay", "show the past, as the owner has kept it; acts on nothing"),
            option("--from", "replay a recording of --record", Noun.PLACE, name="recording"),
            option("--at", "the moment to show first: 12:01:07, or 5m ago", metavar="TIME"),
        ),
        short_names=("dashboard",),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "shot",
        "",
        "Draw a screen of the dashboard into a file",
        "srshell shot overview --size 140x40 -o overview.svg",
        Effect.RUNS,
        (
            Argument("screen", "which screen", choices=SCREEN_NAMES),
            option("--size", "columns and lines; otherwise 80x24", metavar="COLSxLINES"),
            Argument(
                "output",
                "a .svg or .txt file; otherwise the text is printed",
                flags=("-o", "--output"),
                noun=Noun.PLACE,
                required=False,
                metavar="FILE",
            ),
            option(
                "--from",
                "a recording, or what topology --json printed, instead of the living fabric",
                Noun.PLACE,
                name="recording",
            ),
            option("--at", "a moment of the past: 12:01:07, or 5m ago", metavar="TIME"),
            option("--group", "the group that is chosen", Noun.GROUP),
            choice("--theme", "colours of a picture", _THEMES, "dark"),
            flag("--ascii", "draw with ASCII alone"),
        ),
        role=Role.VIEWER,
    ),
)
