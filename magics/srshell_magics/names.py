"""Which magics there are, and what each stands for in the command registry.

Always true:

(1) A magic is the first word of a command, or another name for a whole one; `%sr` takes all of
    them.  So `%vm add`, `%addvm` and `%sr vm add` are the same command.
(2) A noun alone lists: `%group` is `%groups`, `%group NAME` shows, and only a line with
    ``--data`` and ``--log`` makes a group; a typing error cannot.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from srshell.fabric.commands import COMMANDS, SPOKEN, CommandSpec, Effect

#: Nouns whose plural lists them.
_NOUNS = ("group", "vm", "volume", "job")


@attrs.frozen
class Magic:
    """One name after the percent sign, and the words of the registry that it stands for."""

    name: str
    prefix: tuple[str, ...]

    def to_words(self, typed: Sequence[str]) -> list[str]:
        """What was typed after the magic, as words of the registry."""
        if self.prefix == ():
            return list(typed[1:] if typed[:1] == ["srshell"] else typed)
        if self.name == "lab" and not typed:
            return ["lab", "list"]
        if self.name in _NOUNS and not typed:
            return [f"{self.name}s"]
        if self.name == "group" and f"group {typed[0]}" not in COMMANDS and typed[0] != "-h":
            making = any(word.partition("=")[0] in {"--data", "--log"} for word in typed)
            return ["group", "create" if making else "show", *typed]
        return [*self.prefix, *typed]

    def specs(self) -> list[CommandSpec]:
        """The commands that begin with this magic, in the order of the manual."""
        length = len(self.prefix)
        return [
            spec
            for spec in COMMANDS.values()
            if spec.words[:length] == self.prefix and not spec.hidden
        ]


def _make_magics() -> dict[str, Magic]:
    magics = {name: Magic(name, (name,)) for name in ("fabric", "plan", "apply", "lab")}
    magics["sr"] = Magic("sr", ())
    for spec in COMMANDS.values():
        if spec.effect is Effect.RUNS and spec.name != "dash":
            continue
        first = spec.words[0]
        for name in {first, first.replace("-", "_")}:
            magics[name] = Magic(name, (first,))
        for name in spec.short_names:
            magics[name] = Magic(name, spec.words)
    return magics


#: Every magic that is made from the registry, by name.
MAGICS: dict[str, Magic] = _make_magics()

#: Commands of the command line that a shell carries out itself, through `%sr`.
HERE = frozenset(
    {"apply", "dash", "serve", "stop", "plan", *(name for name in COMMANDS if name[:4] == "lab ")}
)


def as_magic(line: str, *, short_names: bool = True) -> str:
    """A line of the command line as it is typed in IPython; any other text unchanged."""
    command, space, rest = line.partition(" ")
    if command != "srshell":
        return line
    first = rest.split(" ", 1)[0]
    if short_names and first in MAGICS:
        return f"%{rest}"
    spec = COMMANDS.get(first)
    if spec is not None and spec.effect is Effect.RUNS and spec.name not in HERE:
        return f"!{line}"
    return f"%sr{space}{rest}"


def spoken_here(text: str, *, short_names: bool = True) -> str:
    """A text in which every command line is written as it is typed in IPython."""
    return SPOKEN.sub(lambda found: as_magic(found[0], short_names=short_names), text)
