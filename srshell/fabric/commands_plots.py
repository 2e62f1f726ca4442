"""The commands whose answers are drawn.

Always true: they change nothing; a page is written by who asked, not by the owner.
"""

from __future__ import annotations

from srshell.fabric.command_parts import option, word
from srshell.fabric.command_spec import CommandSpec, Kind, Noun, Role

_GROUP = word("group", "either group", Noun.GROUP)
_PAGE = option(
    "--report", "write it as one page, too", Noun.PLACE, name="report_file", metavar="FILE.html"
)

PLOTS = (
    CommandSpec(
        "lag",
        "lag",
        "Draw how far a group was behind, how full its log, how slow its writes",
        "srshell lag PriRG --last 5m",
        arguments=(
            _GROUP,
            option("--last", "how far back; 5m", kind=Kind.SECONDS, metavar="SECONDS"),
            _PAGE,
        ),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "trace write",
        "trace_write",
        "Draw where the time of a write goes, leg by leg",
        "srshell trace write PriRG",
        arguments=(_GROUP, _PAGE),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "map",
        "drawing",
        "Draw the fabric: arrays, pools, volumes, groups, and where they replicate to",
        "srshell map",
        arguments=(_PAGE,),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "report",
        "drill",
        "Report on the drills of a group: who, steps, times, recovery point and time",
        "srshell report PriRG --report drill.html",
        arguments=(_GROUP, _PAGE),
        role=Role.VIEWER,
    ),
)
