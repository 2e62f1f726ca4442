"""What may follow the words of a command line: further words, names, options, choices.

Always true: suggestions come from the command registry, so each of them can be read by its parser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srshell.fabric.command_spec import Argument, CommandSpec, Kind, Noun
from srshell.fabric.commands import COMMANDS, find_command

#: The labs that ship with srshell; a test compares them with the folders.
LAB_NAMES = (
    "places", "twins", "groups", "small_log", "millisecond", "failover", "fire", "home",
)  # fmt: skip
#: The names that a noun has in this fabric, as far as they are known.
NamesOf = Callable[[Noun], list[str]]


def words_after(typed: Sequence[str], names_of: NamesOf) -> list[str] | None:
    """What may stand after whole words; None where nothing of ours can, such as a file name."""
    words = list(typed)
    if not words:
        return sorted({name.split()[0] for name, spec in COMMANDS.items() if not spec.hidden})
    further = sorted({name.split()[len(words)] for name in COMMANDS if _begins(name, words)})
    found = find_command(words)
    if found is not None:
        further += _arguments(*found, names_of) or []
    elif words == ["group"]:
        further += names_of(Noun.GROUP)
    return further or None


def _arguments(spec: CommandSpec, rest: list[str], names_of: NamesOf) -> list[str] | None:
    """What may stand after the words ``rest`` of a command."""
    options = {flag: argument for argument in spec.options for flag in argument.flags}
    last = options.get(rest[-1]) if rest else None
    if last is not None and last.kind is not Kind.FLAG:
        return _values(last, names_of)
    flags = [flag for flag in options if flag.startswith("--") and flag not in rest]
    values: list[str] = []
    positionals = spec.positionals
    count = len([word for word in rest if not word.startswith("-")])
    if positionals:
        argument = positionals[min(count, len(positionals) - 1)]
        if argument.noun is Noun.COMMAND:
            return words_after(rest, names_of)
        if count < len(positionals) or argument.many:
            if argument.noun is Noun.PLACE:
                return None
            values = _values(argument, names_of)
    return [*(value for value in values if value not in rest), *flags]


def _values(argument: Argument, names_of: NamesOf) -> list[str]:
    """Values of one argument."""
    if argument.choices:
        return list(argument.choices)
    if argument.noun is Noun.STATE:
        from srshell.model.states import ReplicationState

        return [state.value for state in ReplicationState]
    if argument.noun is Noun.CODE:
        from srshell.model.codes import CODES

        return list(CODES)
    if argument.noun is Noun.LAB:
        return list(LAB_NAMES)
    if argument.flags == ("--confirm",):
        return [*names_of(Noun.GROUP), *names_of(Noun.ARRAY)]
    return names_of(argument.noun)


def _begins(name: str, words: list[str]) -> bool:
    """Whether a command goes on after these words."""
    parts = name.split()
    return len(parts) > len(words) > 0 and parts[: len(words)] == words
