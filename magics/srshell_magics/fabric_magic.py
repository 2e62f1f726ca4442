"""`%fabric`: the one command that is about the shell's own connection, so no verb of the session.

Always true: it is described and read like every other command.
"""

from __future__ import annotations

from collections.abc import Sequence

from srshell.fabric.calls import build_parser, to_call
from srshell.fabric.command_parts import choice, flag, optional_word
from srshell.fabric.command_spec import Argument, CommandSpec, Effect

FABRIC = CommandSpec(
    "fabric",
    "",
    "Show the fabric of this shell, start or attach another one, or stop its owner",
    "srshell fabric start lab-east --sandbox",
    Effect.RUNS,
    (
        Argument(
            "action",
            "info when none is named; attach takes a fabric whose owner runs, start starts it",
            choices=("info", "start", "attach", "stop"),
            required=False,
        ),
        optional_word("name", "directory or name of the fabric; your own when not given"),
        flag("--sandbox", "a new fabric is one to break: faults may be injected"),
        choice("--profile", "rules of a new fabric", ("native", "seed-strict"), None),
        flag("--keep-sites", "with stop: let the sites replicate on"),
    ),
)


def read_fabric(words: Sequence[str]) -> tuple[str, str | None, dict[str, object]]:
    """The action, the fabric and the options.

    Raises:
        SrError: SR0001, the words do not fit the command; SR0005, the action is not known.
    """
    typed = vars(build_parser(FABRIC).parse_args(list(words)))
    options = to_call(FABRIC, typed).arguments
    name = options.pop("name", None)
    return str(options.pop("action", "info")), None if name is None else str(name), options
