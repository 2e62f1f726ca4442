"""Cut a cell into statements, as PowerShell does: by lines and semicolons, where nothing is open.

Always true:

(1) A statement goes on after a backtick or a pipe at the end of a line, and inside brackets and
    quotes; otherwise its line ends it.
(2) Comments are left out; text between quotes is never looked into.
(3) Every statement knows the line of the cell on which it begins, counted from 1.
(4) What a word processor or a console put around a line is no part of it: curly quotes, prompts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import attrs

_OPEN = "({["
_CLOSE = ")}]"
_QUOTES = "'\""
#: Word processors and web pages put these in the place of the plain ones.
_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
                        "\u2013": "-", "\u2014": "-", "\u00a0": " "})  # fmt: skip
#: `PS C:\\> `, `[host]: PS> `, and `>> ` where a statement goes on.
_PROMPT = re.compile(
    r"^[ \t]*(?:(?:\[[^\]\n]+\]:[ \t]*)?PS(?:[ \t][^>\n]*)?>|>>)[ \t]?", re.MULTILINE
)


@attrs.frozen
class Statement:
    """The text of one statement, on one line, and where it began."""

    text: str
    line: int


def statements(
    cell: str, leave_out: Callable[[str], bool] = lambda _line: False
) -> list[Statement]:
    """Return the statements of a cell, in order; empty ones are left out.

    ``leave_out`` is asked about each line on which a statement could begin.
    """
    return [
        attrs.evolve(statement, text=statement.text.strip())
        for statement in _Cutter(_PROMPT.sub("", cell.translate(_PLAIN)), leave_out).cut()
        if statement.text.strip()
    ]


@attrs.define
class _Cutter:
    """One cell while it is cut."""

    text: str
    leave_out: Callable[[str], bool]
    at: int = 0
    line: int = 1
    begin_line: int = 1
    depth: int = 0
    parts: list[str] = attrs.Factory(list)

    def cut(self) -> Iterator[Statement]:
        """Give one statement after the other."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if self._is_left_out():
                self._comment()
            elif char in _QUOTES:
                self._quoted(char)
            elif char == "`":
                self._escape()
            elif self._is_comment(char):
                self._comment()
            elif char in ";\n" and self.depth <= 0 and not self._goes_on(char):
                yield self._end()
                self._newline(char)
            else:
                self._plain(char)
        yield self._end()

    def _is_left_out(self) -> bool:
        """Whether nothing is open here, and the line that begins is to be left out."""
        begins = self.at == 0 or self.text[self.at - 1] == "\n"
        if not begins or self.depth > 0 or "".join(self.parts).strip():
            return False
        end = self.text.find("\n", self.at)
        return self.leave_out(self.text[self.at : end if end >= 0 else None].strip())

    def _plain(self, char: str) -> None:
        self.depth += (char in _OPEN) - (char in _CLOSE)
        self.parts.append(" " if char == "\n" else char)
        self._newline(char)

    def _newline(self, char: str) -> None:
        self.at += 1
        self.line += char == "\n"
        if not "".join(self.parts).strip():
            self.parts.clear()
            self.begin_line = self.line

    def _goes_on(self, char: str) -> bool:
        return char == "\n" and "".join(self.parts).rstrip().endswith(("|", ","))

    def _quoted(self, quote: str) -> None:
        """Take a string as it stands, or an apostrophe that begins none."""
        end = self.at + 1
        while end < len(self.text) and self.text[end] not in {quote, "\n"}:
            end += 2 if self.text[end] == "`" and quote == '"' else 1
        closed = end < len(self.text) and self.text[end] == quote
        stop = end + 1 if closed else self.at + 1
        self.parts.append(self.text[self.at : stop])
        self.at = stop

    def _escape(self) -> None:
        """A backtick at the end of a line joins it with the next one."""
        rest = self.text[self.at + 1 :]
        line_end = rest[: rest.find("\n")] if "\n" in rest else rest
        if not line_end.strip() and "\n" in rest:
            self.at += 1 + len(line_end)
            self.parts.append(" ")
            self._newline("\n")
        else:
            self.parts.append(self.text[self.at : self.at + 2])
            self.at += 2

    def _is_comment(self, char: str) -> bool:
        before = self.text[self.at - 1] if self.at else "\n"
        return char == "#" and (before.isspace() or before in "({;|")

    def _comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _end(self) -> Statement:
        text, self.parts, self.depth = "".join(self.parts), [], 0
        statement = Statement(text, self.begin_line)
        self.begin_line = self.line
        return statement
