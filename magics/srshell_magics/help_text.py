"""Help for magics, made from the command registry: `%pair?`, `%pair -h`, `%sr?`.

Always true: what is shown can be typed in IPython as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence

from srshell.fabric.commands import FAMILIES, CommandSpec, Effect, find_command
from srshell_magics.names import Magic, as_magic, spoken_here

_TAIL = """
Every command is also %sr COMMAND. %COMMAND? or %COMMAND -h shows its options.
$name and {expression} are filled in; the result is an object: status = %status
%fabric shows and chooses the fabric, %config SRShell what can be set, %explain CODE a code."""


def of_words(magic: Magic, typed: Sequence[str]) -> str:
    """Help for a magic and the words after it: one command, or those that it begins."""
    words = magic.to_words(typed) if typed or magic.prefix else []
    words = list(magic.prefix) if not typed else words
    if words[:1] == ["fabric"]:
        from srshell_magics.fabric_magic import FABRIC

        return of_command(FABRIC)
    found = find_command(words)
    if found is not None:
        return of_command(found[0])
    return overview(words[0] if words else "")


def of_command(spec: CommandSpec) -> str:
    """The help of one command."""
    from srshell.fabric.calls import build_parser

    text = build_parser(spec).format_help()
    if spec.cmdlet:
        text += f"in the article: {spec.cmdlet}\n"
    return spoken_here(f"{text}also: -q prints no line on success, -o NAME stores the result")


def overview(first_word: str = "") -> str:
    """All commands by families; only those that begin with a word, when some do."""
    lines = [] if first_word else ["srshell: replicate storage volumes between two sites", ""]
    for family, specs in FAMILIES.items():
        shown = [
            spec
            for spec in specs
            if (spec.effect is not Effect.RUNS or spec.name == "dash")
            and first_word in {"", spec.words[0]}
        ]
        if shown:
            lines.append(f"{family}:")
            lines += [f"  {as_magic(f'srshell {spec.name}'):<14} {spec.summary}" for spec in shown]
    return "\n".join(lines if first_word else [*lines, _TAIL])
