"""The overview of all commands, by families, as `srshell --help` prints it.

Always true: it is made from the command registry.
"""

from __future__ import annotations

from srshell.fabric.commands import COMMANDS, FAMILIES

_HEAD = """usage: srshell [--fabric DIR] COMMAND … [--json]

Replicate storage volumes synchronously between two sites.
"""
_TAIL = """
options before the command:
  --fabric DIR   the fabric; otherwise $SRSHELL_FABRIC, otherwise your own
  --json         print results and errors as JSON
  --no-start     fail with exit code 3 when no owner runs
  --sandbox      make a new fabric one in which faults may be injected
  --profile P    rules of a new fabric: native or seed-strict
  --version

srshell COMMAND --help shows one command; srshell explain CODE explains a code."""


def overview(begins_with: str = "") -> str:
    """All commands; only those that begin with a word, when some do."""
    named = [name for name in COMMANDS if name.split()[0] == begins_with]
    lines = [_HEAD]
    for family, specs in FAMILIES.items():
        shown = [s for s in specs if not s.hidden and (not named or s.name in named)]
        if shown:
            lines.append(f"{family}:")
            lines += [f"  {spec.name:<14} {spec.summary}" for spec in shown]
    return "\n".join([*lines, _TAIL])
