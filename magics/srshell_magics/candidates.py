"""What may follow on a line: options, choices, and the names of what the fabric holds.

Always true: names come from what was last heard of the fabric.  Asking happens beside the prompt,
which waits at most 15 ms for it; no owner is ever started for a completion.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from srshell.fabric.command_spec import Noun
from srshell.fabric.suggest import words_after
from srshell_magics.names import MAGICS, Magic

if TYPE_CHECKING:
    from srshell_magics.connection import Fabric

WAIT_SECONDS = 0.015
FRESH_SECONDS = 2.0
_LINE = re.compile(r"\s*(?:[\w., ]+=\s*)?(%?)([A-Za-z][\w-]*)\s+(.*)")

#: What is asked for the names of a noun: verb, and the field of each row.
_ASKED: dict[Noun, tuple[tuple[str, str], ...]] = {
    Noun.ARRAY: (("arrays", "name"),),
    Noun.POOL: (("pools", "location"),),
    Noun.VOLUME: (("volumes", "name"),),
    Noun.GROUP: (("groups", "name"),),
    Noun.MACHINE: (("vms", "name"),),
    Noun.BRANCH: (("branches", "name"),),
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
        """The names that are known now, after at most 15 ms."""
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
            return words_after(typed, self._names.of)
        return words_after(magic.to_words(typed) if typed else magic.prefix, self._names.of)
