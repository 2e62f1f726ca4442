r"""Manual pages, made from the command registry: srshell(1), and one page for each command.

Always true: a page is plain roff of the man macros; every text in it is escaped, so that no word of
a command is read as a macro.

    srshell manual --to ./man1 && man ./man1/srshell-failover.1
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from srshell import __version__
from srshell.cli.surroundings import Exit
from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind
from srshell.fabric.commands import COMMANDS, FAMILIES
from srshell.model.errors import SrError

_EXITS = {
    Exit.OK: "done; status: all is well",
    Exit.FAILED: "refused or failed, and the error says why; status: a warning",
    Exit.CRITICAL: "status alone: acknowledged writes are at risk, or a person has to act",
    Exit.UNREACHABLE: "no owner answers, and none could or was to be started",
    Exit.USAGE: "the command line cannot be read",
    Exit.INTERRUPTED: "interrupted; work that was begun goes on in the owner",
}


def roff(text: str) -> str:
    """A text that no macro is read from, and whose dashes can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def overview_page() -> str:
    """srshell(1): all commands, by families."""
    lines = [
        *_head("srshell"),
        ".SH NAME",
        "srshell \\- replicate storage volumes synchronously between two sites",
        ".SH SYNOPSIS",
        ".B srshell",
        "[\\-\\-fabric DIR] [\\-\\-json] [\\-\\-no\\-start] COMMAND [ARGUMENT ...]",
    ]
    for family, specs in FAMILIES.items():
        lines.append(f".SH {roff(family.upper())}")
        for spec in specs:
            if not spec.hidden:
                lines += [".TP", f".B {roff(spec.name)}", roff(spec.summary)]
    return "\n".join([*lines, *_tail()])


def command_page(spec: CommandSpec) -> str:
    """The page of one command."""
    name = _page_name(spec)
    lines = [
        *_head(name),
        ".SH NAME",
        f"{roff(name)} \\- {roff(spec.summary)}",
        ".SH SYNOPSIS",
        f".B srshell {roff(spec.name)}",
        roff(spec.usage.removeprefix(spec.name).strip()),
    ]
    if spec.cmdlet:
        lines += [".SH IN THE ARTICLE", roff(spec.cmdlet)]
    arguments = (*spec.positionals, *(() if spec.effect is Effect.RUNS else spec.options))
    own = tuple(argument for argument in spec.arguments if argument.flags)
    shown = (*spec.positionals, *own) if spec.effect is Effect.RUNS else arguments
    if shown:
        lines.append(".SH ARGUMENTS")
        lines += [line for argument in shown for line in _argument(argument)]
    lines += [".SH EXAMPLE", ".nf", roff(spec.example), ".fi"]
    return "\n".join([*lines, *_tail()])


def write_pages(folder: str) -> str:
    """Write all pages; returns how many there are.

    Raises:
        SrError: SR9220, they cannot be written.
    """
    pages = {"srshell": overview_page()}
    pages |= {_page_name(s): command_page(s) for s in COMMANDS.values() if not s.hidden}
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            Path(folder, f"{name}.1").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SrError.make("SR9220", facts=error.strerror or str(error), operation="write",
                           file=folder) from error  # fmt: skip
    return f"{len(pages)} pages in {folder}"


def _page_name(spec: CommandSpec) -> str:
    return f"srshell-{'-'.join(spec.words)}"


def _head(name: str) -> Iterable[str]:
    return (f'.TH {name.upper().replace("-", chr(92) + "-")} 1 "" "srshell {__version__}"',)


def _argument(argument: Argument) -> tuple[str, ...]:
    """How an argument is typed, and what it says."""
    flags = ", ".join(argument.flags)
    value = "" if argument.kind is Kind.FLAG else argument.shown
    return ".TP", f".B {roff(f'{flags} {value}'.strip())}", roff(argument.help)


def _tail() -> list[str]:
    lines = [".SH EXIT STATUS"]
    for code, text in _EXITS.items():
        lines += [".TP", f".B {code.value}", roff(text)]
    return [*lines, ".SH SEE ALSO", roff("srshell explain CODE explains the code of an error.")]
