"""The one line where a person types: commands, filters, names, answers.

Always true:

(1) Tab completes with what the command registry allows; escape gives the keys back.
(2) Keys count in the order in which they were pressed, however fast they come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input

#: Takes what was asked for: the kind of question, and the text.
Answered = Callable[[str, str], None]
#: What may stand where the text ends: whole words.
Suggest = Callable[[str], Sequence[str]]


class Ask(Input):
    """An input that is seen only while something is asked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False),
        Binding("tab", "complete", show=False),
    ]

    class GivenUp(Message):
        """The person pressed escape."""

        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

    class Typed(Message):
        """The text changed."""

        def __init__(self, kind: str, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Offered(Message):
        """There are several ways to go on."""

        def __init__(self, words: Sequence[str]) -> None:
            super().__init__()
            self.words = tuple(words)

    def __init__(self, suggest: Suggest, answered: Answered, below: Callable[[], Strip]) -> None:
        super().__init__(id="ask", select_on_focus=False)
        self.kind = ""
        self._answered = answered
        self._below = below
        self._suggest = suggest
        self.asking = False
        self.can_focus = False
        self.cursor_blink = False

    def open(self, kind: str, prompt: str, text: str = "") -> None:
        """Ask for something."""
        self.kind = kind
        self.placeholder = prompt
        self.value = text
        self.cursor_position = len(text)
        self.asking = True
        self.can_focus = True
        self.focus()
        self.refresh()

    def close_line(self) -> None:
        """Ask no more."""
        self.asking = False
        self.can_focus = False
        self.kind = ""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """What is typed; while nothing is asked, the row of the paper that lies below.

        It is never taken away: that would lay the screen out anew, and paint all of it.
        """
        return super().render_line(y) if self.asking else self._below()

    def action_give_up(self) -> None:
        """Escape."""
        self.post_message(self.GivenUp(self.kind))

    def action_complete(self) -> None:
        """Complete the last word as far as it is certain; offer the ways when it is not."""
        words = [word for word in self._suggest(self.value) if word]
        head, _, last = self.value.rpartition(" ")
        fitting = [word for word in words if word.startswith(last)]
        if not fitting:
            return
        common = _common(fitting)
        begin = f"{head} " if head else ""
        self.value = begin + common + (" " if len(fitting) == 1 else "")
        self.cursor_position = len(self.value)
        if len(fitting) > 1:
            self.post_message(self.Offered(fitting))

    async def _on_key(self, event: events.Key) -> None:
        # A key with a binding would bubble up to the application first, and letters that were
        # typed after it, or arrived with it over a slow line, would be there before it.
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)
            return
        await super()._on_key(event)

    async def action_submit(self) -> None:
        """Enter: at once, and not by a message that later keys would overtake."""
        self._answered(self.kind, self.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """A letter more or less."""
        event.stop()
        self.post_message(self.Typed(self.kind, event.value))

    def _on_paste(self, event: events.Paste) -> None:
        # A pasted line is one line: what follows its end would be run unseen.
        first = event.text.splitlines()[0] if event.text else ""
        self.insert_text_at_cursor(first)
        event.stop()
        event.prevent_default()


def _common(words: Sequence[str]) -> str:
    """What all words begin with."""
    first, last = min(words), max(words)
    length = next((i for i, c in enumerate(first) if last[i : i + 1] != c), len(first))
    return first[:length]
