"""Completion of commands, as IPython's completer calls it.

Always true:

(1) Only lines of our own commands are completed here; places are left to IPython.
(2) Making the matcher imports nothing; the first completion does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext

    from srshell_magics.candidates import Candidates
    from srshell_magics.loaded import Loaded


class Completion:
    """A matcher of IPython's completer, version 2 of its interface."""

    matcher_api_version = 2
    matcher_identifier = "srshell"
    matcher_priority = 200.0

    def __init__(self, loaded: Loaded) -> None:
        #: IPython asks a matcher for the name that a function would have.
        self.__qualname__ = self.matcher_identifier
        self._loaded = loaded
        self._candidates: Candidates | None = None

    def __call__(self, context: CompletionContext) -> Any:  # noqa: ANN401 - a dict of IPython's
        """What may stand at the cursor."""
        before = context.text_until_cursor
        found = self._find(before)
        if found is None:
            return {"completions": [], "suppress": False}
        from IPython.core.completer import SimpleCompletion

        # A token may begin in the middle of a word, after a character that ends a Python name.
        word = re.split(r"\s", before)[-1]
        ahead = len(word) - len(context.token) if word.endswith(context.token) else 0
        matching = [text for text in found if text.startswith(word)]
        completions = [SimpleCompletion(text=text[ahead:], type="magic") for text in matching]
        return {"completions": completions, "suppress": bool(completions), "ordered": True}

    def _find(self, before: str) -> list[str] | None:
        """All that may stand where ``before`` ends."""
        if self._candidates is None:
            from srshell_magics.candidates import Candidates

            self._candidates = Candidates(lambda: self._loaded.console.connection.connected)
        return self._candidates.after(before, self._loaded.shell.user_ns)
