"""Commands that look at volumes as they were: branches of split brains, prefixes of a log.

Always true: each row is one verb of the session, or a process of its own when it names no method.
"""

from __future__ import annotations

from srshell.fabric.command_parts import flag, option, optional_word, options, word
from srshell.fabric.command_spec import CommandSpec, Effect, Kind, Noun, Role

BRANCHES = (
    CommandSpec(
        "branches",
        "branches",
        "List what losers of split brains had written, and until when it is kept",
        "srshell branches",
        arguments=(optional_word("group", "of this group and its partner", Noun.GROUP),),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "branch show",
        "branch",
        "Show one branch: its volumes, what only the loser had, where it lies",
        "srshell branch show PriRG.1024",
        arguments=(word("name", "the branch", Noun.BRANCH),),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "branch export",
        "export_branch",
        "Serve the volumes of a branch over NBD, read-only, as the loser had them",
        "srshell branch export PriRG.1024",
        Effect.CHANGES,
        (
            word("name", "the branch", Noun.BRANCH),
            flag("--off", "serve it no longer", target="on", constant=False),
        ),
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "branch keep",
        "keep_branch",
        "Keep a branch for some days from now",
        "srshell branch keep PriRG.1024 --days 90",
        Effect.CHANGES,
        (
            word("name", "the branch", Noun.BRANCH),
            option("--days", "how many", kind=Kind.NUMBER, name="keep_days", required=True),
        ),
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "branch rm",
        "remove_branch",
        "Remove a branch and give its space back",
        "srshell branch rm PriRG.1024 --confirm PriRG.1024",
        Effect.DESTROYS,
        (word("name", "the branch", Noun.BRANCH),),
        confirms="the branch",
        role=Role.ADMIN,
    ),
)

TOOLS = (
    CommandSpec(
        "prefixes",
        "",
        "Rebuild volumes from a log as they were after many LSNs, and check each",
        "srshell prefixes ./after/logB --base volB=./before/volB --since ./before/logB",
        Effect.RUNS,
        (
            word("log", "a log volume, or a copy that was taken while nothing was written",
                 Noun.PLACE),
            options("--base", "an image of each volume, as VOLUME=FILE", Noun.NOTHING,
                    required=True),
            option("--since", "an older copy of the log, taken together with the images",
                   Noun.PLACE),
            option("--every", "only every so many LSNs", kind=Kind.NUMBER),
            option("--from", "only from this LSN on", kind=Kind.NUMBER, name="from_lsn"),
            option("--to", "only up to this LSN", kind=Kind.NUMBER, name="to_lsn"),
            option("--limit", "at most so many", kind=Kind.NUMBER),
            option("--check", "what is run on each image: {} or {VOLUME}; e2fsck if not given",
                   metavar="COMMAND"),
            option("--work", "where to work: room for two copies of the volumes", Noun.PLACE),
        ),
        role=Role.ADMIN,
    ),
)  # fmt: skip
