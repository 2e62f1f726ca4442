"""The command of the topology test.

Always true: it changes nothing; the page is written by who asked, not by the owner.
"""

from __future__ import annotations

from srshell.fabric.command_parts import option, word
from srshell.fabric.command_spec import CommandSpec, Kind, Noun, Role

TOPOLOGY = (
    CommandSpec(
        "topology",
        "topology",
        "Test whether two arrays are fit to replicate: link, disks, load, advice",
        "srshell topology ClusterA ClusterB --duration 4s",
        arguments=(
            word("source", "the array that is written to", Noun.ARRAY, metavar="A"),
            word("destination", "the array that is to follow it", Noun.ARRAY, metavar="B"),
            option(
                "--duration", "how long to measure; otherwise 10 s", kind=Kind.SECONDS,
                metavar="SECONDS",
            ),
            option(
                "--report", "write one page with charts, too", Noun.PLACE, name="report_file",
                metavar="FILE.html",
            ),
        ),
        role=Role.OPERATOR,
    ),
)  # fmt: skip
