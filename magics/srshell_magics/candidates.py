"""What may follow on a line: options, choices, and the names of what the fabric holds.

Always true: names come from what was last heard of the fabric.  Asking happens beside the prompt,
which waits at most 50 ms for it; no owner is ever started for a completion.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from srshell.fabric.command_spec import Argument, CommandSpec, Kind, Noun
from srshell.fabric.commands import COMMANDS, find_command
from srshell_magics.names import MAGICS, Magic

if TYPE_CHECKING:
    from srshell_magics.connection import Fabric

WAIT_SECONDS = 0.05
FRESH_SECONDS = 2.0
_LINE = re.compile(r"\s*(?:[\w., ]+=\s*)?(%?)([A-Za-z][\w-]*)\s+(.*)")

#: What is asked for the names of a noun: verb, and the field of each row.
_ASKED: dict[Noun, tuple[tuple[str, str], ...]] = {
    Noun.ARRAY: (("arrays", "name"),),
    Noun.POOL: (("pools", "location"),),
    Noun.VOLUME: (("volumes", "name"),),
    Noun.GROUP: (("groups", "name"),),
    Noun.MACHINE: (("vms", "name"),),
    Noun.JOB: (("jobs", "id"),),
    Noun.OBJECT: (("groups", "name"), ("arrays", "name"), ("volumes", "name"), ("vms", "name")),
}


class Names:
    """Names of objects as they were last heard of."""

    def __init__(self, fabric: Callable[[], Fabric | None]) -> None:
        self._fabric = fabric
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asking: dict[str, threading.Thread] = {}

    def of(self, noun: Noun) -> list[str]:
        """The names that are known now, after at most 50 ms."""
        end = time.monotonic() + WAIT_SECONDS
        found: list[str] = []
        for verb, field in _ASKED.get(noun, ()):
            heard, names = self._known.get(verb, (0.0, ()))
            if time.monotonic() - heard > FRESH_SECONDS or not heard:
                self._ask(verb, field).join(max(end - time.monotonic(), 0.0))
                names = self._known.get(verb, (0.0, ()))[1]
            found += names
        return found

    def _ask(self, verb: str, field: str) -> threading.Thread:
        """Ask beside the prompt; one question at a time for each verb."""
        thread = self._asking.get(verb)
        if thread is None or not thread.is_alive():
            thread = threading.Thread(
                target=self._hear, args=(verb, field), name="srshell-names", daemon=True
            )
            self._asking[verb] = thread
            thread.start()
        return thread

    def _hear(self, verb: str, field: str) -> None:
        fabric = self._fabric()
        if fabric is None:
            return
        try:
            rows = fabric.perform(verb, {})
        except Exception:  # noqa: BLE001 - a completion that fails offers nothing
            return
        names = tuple(str(getattr(row, field)) for row in rows)
        self._known[verb] = (time.monotonic(), names)


class Candidates:
    """What may stand at the cursor of one shell."""

    def __init__(self, fabric: Callable[[], Fabric | None]) -> None:
        self._names = Names(fabric)

    def after(self, before: str, variables: Container[str] = ()) -> list[str] | None:
        """All that may stand where ``before`` ends; None where IPython knows better."""
        match = _LINE.fullmatch(before)
        if match is None or match[2] not in MAGICS:
            return None
        if not match[1] and match[2] in variables:
            return None  # without a percent sign a variable of that name is meant
        typed = re.split(r"\s+", match[3])[:-1]
        return self._after(MAGICS[match[2]], typed)

    def _after(self, magic: Magic, typed: list[str]) -> list[str] | None:
        """What may follow the words that were typed after a magic."""
        if magic.name in {"sr", "plan"}:
            words = typed
            if not typed:
                return sorted({name.split()[0] for name in COMMANDS})
        else:
            words = magic.to_words(typed) if typed else list(magic.prefix)
        further = sorted({name.split()[len(words)] for name in COMMANDS if _begins(name, words)})
        found = find_command(words)
        if found is not None:
            further += self._arguments(*found) or []
        elif words == ["group"]:
            further += self._names.of(Noun.GROUP)
        return further or None

    def _arguments(self, spec: CommandSpec, rest: list[str]) -> list[str] | None:
        """What may stand after the words ``rest`` of a command."""
        options = {flag: argument for argument in spec.options for flag in argument.flags}
        last = options.get(rest[-1]) if rest else None
        if last is not None and last.kind is not Kind.FLAG:
            return self._values(last)
        flags = [flag for flag in options if flag.startswith("--") and flag not in rest]
        values: list[str] = []
        positionals = spec.positionals
        count = len([word for word in rest if not word.startswith("-")])
        if positionals:
            argument = positionals[min(count, len(positionals) - 1)]
            if count < len(positionals) or argument.many:
                if argument.noun is Noun.PLACE:
                    return None
                values = self._values(argument) or []
        return [*(value for value in values if value not in rest), *flags]

    def _values(self, argument: Argument) -> list[str] | None:
        """Values of one argument."""
        if argument.choices:
            return list(argument.choices)
        if argument.noun is Noun.STATE:
            from srshell.model.states import ReplicationState

            return [state.value for state in ReplicationState]
        if argument.noun is Noun.CODE:
            from srshell.model.codes import CODES

            return list(CODES)
        if argument.flags == ("--confirm",):
            return [*self._names.of(Noun.GROUP), *self._names.of(Noun.ARRAY)]
        return self._names.of(argument.noun)


def _begins(name: str, words: list[str]) -> bool:
    """Whether a command goes on after these words."""
    parts = name.split()
    return len(parts) > len(words) > 0 and parts[: len(words)] == words
