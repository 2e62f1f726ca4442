"""A line after a magic becomes words: variables filled in, quotes resolved.

Always true:

(1) ``$name``, ``$name.field`` and ``{expression}`` become their values; each value is one word
    however many spaces it has, and a list or tuple is one word for each of its items.
(2) A variable without a value is refused (SR0002); it never reaches a command as text.
(3) Between single quotes nothing is filled in.  ``$$``, ``{{`` and ``}}`` are ``$``, ``{`` and
    ``}``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import attrs

from srshell.fabric.calls import unreadable
from srshell.model.errors import SrError
from srshell.model.identity import nearest

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w .-]*>")


def read_words(line: str, names: Mapping[str, object]) -> list[str]:
    """The words of a line.

    Args:
        line: what was typed after the magic.
        names: the variables of the notebook.

    Raises:
        SrError: SR0002, a variable has no value; SR0104, a placeholder was left in; SR0001, a quote
            is not closed.
    """
    try:
        # A semicolon at the end keeps IPython from showing the value; it is no part of a name.
        words = shlex.split(_Filling(line.rstrip().removesuffix(";"), names).fill())
    except ValueError as error:
        raise unreadable("", str(error).lower()) from error
    for word in words:
        if _PLACEHOLDER.fullmatch(word):
            raise SrError.make("SR0104", name=word)
    return words


@attrs.define
class _Filling:
    """One line while its variables are filled in."""

    line: str
    names: Mapping[str, object]
    at: int = 0
    quote: str = ""

    def fill(self) -> str:
        """The line with values in place of variables, quoted so that `shlex` keeps them whole."""
        parts: list[str] = []
        while self.at < len(self.line):
            parts.append(self._next())
        return "".join(parts)

    def _next(self) -> str:
        """What the next piece of the line becomes."""
        char = self.line[self.at]
        if char == "\\" and self.quote != "'":
            return self._take(2)
        if char in "'\"" and self.quote in {"", char}:
            self.quote = "" if self.quote else char
            return self._take(1)
        if self.quote == "'":
            return self._take(1)
        if char == "#" and not self.quote and (self.at == 0 or self.line[self.at - 1].isspace()):
            self.at = len(self.line)  # a comment
            return ""
        if self.line.startswith(("$$", "{{", "}}"), self.at):
            self.at += 2
            return self._value(char)
        if char == "$":
            return self._variable()
        return self._expression() if char == "{" else self._take(1)

    def _take(self, count: int) -> str:
        """The next characters as they stand."""
        text = self.line[self.at : self.at + count]
        self.at += count
        return text

    def _variable(self) -> str:
        """The value of ``$name`` or ``$name.field``."""
        match = _VARIABLE.match(self.line, self.at)
        if match is None:
            return self._take(1)
        self.at = match.end()
        first, *fields = match[1].split(".")
        if first not in self.names:
            near = nearest(first, [name for name in self.names if not name.startswith("_")])
            facts = f"did you mean: {', '.join(f'${name}' for name in near)}" if near else ""
            raise SrError.make("SR0002", facts=facts, name=f"${first}")
        value = self.names[first]
        for field in fields:
            if not hasattr(value, field):
                facts = f"{type(value).__name__} has no {field}"
                raise SrError.make("SR0002", facts=facts, name=match[0])
            value = getattr(value, field)
        return self._value(value)

    def _expression(self) -> str:
        """The value of ``{expression}``."""
        source = self._braced()
        if source is None:
            return self._take(1)
        self.at += len(source) + 2
        try:
            # The expression is the user's own, typed into the user's own shell.
            value = eval(source.strip(), dict(self.names))  # noqa: S307
        except Exception as error:
            facts = f"{type(error).__name__}: {error}"
            raise SrError.make("SR0002", facts=facts, name=f"{{{source}}}") from error
        return self._value(value)

    def _braced(self) -> str | None:
        """The text up to the brace that closes this one; None if none does."""
        depth, quote = 0, ""
        for end in range(self.at, len(self.line)):
            char = self.line[end]
            if quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char in "{}":
                depth += 1 if char == "{" else -1
                if depth == 0:
                    return self.line[self.at + 1 : end]
        return None

    def _value(self, value: object) -> str:
        """A value as text that `shlex` reads back as one word, or as a part of one."""
        if type(value) in {list, tuple} and not self.quote:
            return " ".join(shlex.quote(str(item)) for item in value)  # type: ignore[attr-defined]
        text = str(value)
        if self.quote:
            return re.sub(r'([\\"])', r"\\\1", text)
        return shlex.quote(text)
