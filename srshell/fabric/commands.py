"""The command registry: every verb of srshell once, for magics, command line and manual.

Always true:

(1) A command's words are unique, and so are its short names.
(2) What a person types becomes a `Call`: a method of `FabricApi` with keyword arguments.  The same
    words mean the same in a magic, on the command line and in the mending line of an error.

    words --parse--> Call(method, arguments) --perform--> result | Plan | Job
"""

from __future__ import annotations

import re

from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind, Noun
from srshell.fabric.commands_branches import BRANCHES, TOOLS
from srshell.fabric.commands_copies import COPIES
from srshell.fabric.commands_labs import LABS
from srshell.fabric.commands_operation import MACHINES, PROCESSES, ROLES, WATCHING
from srshell.fabric.commands_plots import PLOTS
from srshell.fabric.commands_screens import SCREENS
from srshell.fabric.commands_setup import INVENTORY, PROTECTION, PROVISIONING
from srshell.fabric.commands_topology import TOPOLOGY

__all__ = [
    "COMMANDS",
    "FAMILIES",
    "SPOKEN",
    "Argument",
    "CommandSpec",
    "Effect",
    "Kind",
    "Noun",
    "find_command",
]

#: Heading to commands, in the order of the manual.
FAMILIES: dict[str, tuple[CommandSpec, ...]] = {
    "storage": INVENTORY,
    "volumes and groups": PROVISIONING,
    "protection": (*PROTECTION, *COPIES),
    "machines and exports": MACHINES,
    "roles": ROLES,
    "branches": BRANCHES,
    "watching": (*WATCHING, *TOPOLOGY, *PLOTS),
    "screens": SCREENS,
    "labs": LABS,
    "processes": PROCESSES,
    "tools": TOOLS,
}

#: Words to command: ``COMMANDS["group create"]``.
COMMANDS: dict[str, CommandSpec] = {
    spec.name: spec for family in FAMILIES.values() for spec in family
}

#: "srshell" and a word that it knows, anywhere in a text.
SPOKEN = re.compile(
    r"(?<![\w/%!.-])srshell (?:--help|(?:{words})(?![\w-]))".format(
        words="|".join(sorted({re.escape(spec.words[0]) for spec in COMMANDS.values()}))
    )
)


def find_command(words: tuple[str, ...] | list[str]) -> tuple[CommandSpec, list[str]] | None:
    """The command that ``words`` begin with, and the words that are left; None if there is none.

    Dashes and underscores mean the same, so that magics can be typed as Python names.
    """
    spelled = [word.replace("_", "-") for word in words[:2]]
    for length in (2, 1):
        spec = COMMANDS.get(" ".join(spelled[:length]))
        if spec is not None and len(spelled) >= length:
            return spec, list(words[length:])
    return None
