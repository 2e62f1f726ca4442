"""Make docs/commands.md from the command registry: ``python -m tests.docs.commands_page``.

Always true: the page holds nothing that the registry, the exit codes or the magics do not say.
"""

from __future__ import annotations

import sys

from srshell.cli.surroundings import Exit
from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind, Role
from srshell.fabric.commands import FAMILIES
from tests.docs.fences import ROOT
from tests.docs.reference_pages import PAGES

PAGE = ROOT / "docs" / "commands.md"

_HEAD = """# Commands

<!-- Made by `make docs` from the command registry in srshell/fabric/commands.py; do not edit. -->

The same registry makes the command line (`srshell status`), the magics (`%status`) and their help.
A verb of the session has a method in Python, too. `srshell COMMAND --help` shows one command,
`srshell explain CODE` explains the code of an error or event.

Sizes are written `4096`, `256M` or `64GiB`, where K, M, G, T and P are powers of 1024; durations
`1.5`, `250ms`, `90s`, `5m`, `2h` or `1d`. Options that belong to a kind of command are not repeated
below:

| kind | what it does | options |
| --- | --- | --- |
"""

_KINDS = {
    Effect.SHOWS: "shows something, changes nothing",
    Effect.WATCHES: "waits, changes nothing",
    Effect.CHANGES: "changes the fabric",
    Effect.WAITS: "changes the fabric, and ends when something was reached",
    Effect.DESTROYS: "loses data, changes roles or ends protection, once confirmed by name",
    Effect.RUNS: "a process of its own",
}
_ROLES = {
    Role.VIEWER: "look, and follow events",
    Role.OPERATOR: "that, and everything that neither sets up nor destroys",
    Role.ADMIN: "everything",
}
_EXITS = {
    Exit.OK: "done; `status`: all is well",
    Exit.FAILED: "refused or failed, and the error says why; `status`: a warning",
    Exit.CRITICAL: "`status` alone: acknowledged writes are at risk, or a person has to act",
    Exit.UNREACHABLE: "no owner answers, and none could or was to be started",
    Exit.USAGE: "the command line cannot be read",
    Exit.INTERRUPTED: "interrupted; work that was begun goes on in the owner",
}


def render() -> str:
    """The whole page."""
    specs = [spec for family in FAMILIES.values() for spec in family if not spec.hidden]
    lines = [_HEAD.rstrip("\n")]
    for effect, text in _KINDS.items():
        sample = next((spec for spec in specs if spec.effect is effect), None)
        common = () if sample is None or effect is Effect.RUNS else sample.common_options
        shown = ", ".join(f"`{_flags(option)}`" for option in common)
        lines.append(f"| {effect.value} | {text} | {shown} |")
    lines += [
        "",
        "The fabric's own user may do everything; others may do what their role allows:",
        "",
    ]
    lines += ["| role | may |", "| --- | --- |"]
    lines += [f"| {role.value} | {text} |" for role, text in _ROLES.items()]
    lines += ["", "| exit code | meaning |", "| --- | --- |"]
    lines += [f"| {code.value} | {text} |" for code, text in _EXITS.items()]
    for family, members in FAMILIES.items():
        lines += ["", f"## {family[0].upper()}{family[1:]}"]
        for spec in members:
            if not spec.hidden:
                lines += ["", *_command(spec)]
    return "\n".join(lines) + "\n"


def _command(spec: CommandSpec) -> list[str]:
    """The section of one command."""
    facts = [f"*{spec.effect.value}*", f"role {spec.needs.value}"]
    if spec.method:
        facts.append(f"Python `{spec.method}`")
    if spec.short_names:
        facts.append("also " + ", ".join(f"`%{name}`" for name in spec.short_names))
    if spec.step:
        facts.append(f"step {spec.step} of the article")
    if spec.cmdlet:
        facts.append(f"there `{spec.cmdlet}`")
    lines = [
        f"### {spec.name}",
        "",
        f"{spec.summary}. {'; '.join(facts)}.",
        "",
        f"Usage: `srshell {spec.usage}`",
    ]
    if spec.example != f"srshell {spec.usage}":
        lines[-1] += "  "
        lines.append(f"Example: `{spec.example}`")
    if spec.confirms:
        lines += ["", f"`--confirm` names {spec.confirms}."]
    if spec.arguments:
        lines += ["", "| argument | meaning |", "| --- | --- |"]
        lines += [f"| `{_cell(_flags(a))}` | {_cell(_meaning(a))} |" for a in spec.arguments]
    return lines


def _flags(argument: Argument) -> str:
    """How an argument is typed."""
    if not argument.flags:
        return argument.shown
    flags = ", ".join(argument.flags)
    return flags if argument.kind is Kind.FLAG else f"{flags} {argument.shown}"


def _meaning(argument: Argument) -> str:
    """What an argument says, and whether it may be left out or repeated."""
    notes = []
    if argument.many:
        notes.append("one or more" if argument.required else "any number")
    if argument.flags and argument.required:
        notes.append("required")
    if not argument.flags and not argument.required and not argument.many:
        notes.append("may be left out")
    if argument.default is not None:
        notes.append(f"otherwise `{argument.default}`")
    if argument.role is not None:
        notes.append(f"role {argument.role.value}")
    return f"{argument.help} ({', '.join(notes)})" if notes else argument.help


def _cell(text: str) -> str:
    """A text that may stand in a table: a bar would end its cell."""
    return text.replace("|", "\\|")


def main() -> int:
    """Write the pages, or with ``--check`` say whether they are up to date."""
    for page, make in {PAGE: render, **PAGES}.items():
        text = make()
        if "--check" not in sys.argv[1:]:
            page.write_text(text, encoding="utf-8")
        elif page.read_text(encoding="utf-8") != text:
            return 1
    return 0


assert set(_EXITS) == set(Exit)
assert set(_KINDS) == set(Effect)
assert set(_ROLES) == set(Role)

if __name__ == "__main__":
    sys.exit(main())
