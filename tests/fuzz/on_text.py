"""Random text in every field of every report, on every display.

Always true: what is shown holds no character that does something, and no markup of others.
"""

from __future__ import annotations

import functools
import io
import json
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from srshell.cli import show
from srshell.cli.show import plain_lines
from srshell.cli.surroundings import Surroundings
from srshell.fabric.pages import page_of
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from srshell.model.printable import printable
from srshell.model.report import encode
from srshell_magics.display import make_page, to_html, to_text
from tests.fuzz.harness import Violation, mutated
from tests.fuzz.reports import all_reports

#: What names and messages could hold if somebody wanted to be seen as something else.
HOSTILE: Final = (
    "\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\link", "\x9b31m", "\r\nsr> rm",
    "\x08\x08\x08", "\x00", "\x7f", "\u202egnp.exe", "\u2066a\u2069", "\u200b\u200d\ufeff",
    "\u2028x",
    "\u2029", "\x85", "\ud800", "\U000e0041", "[red]x[/red]", "[@click=app.quit]x[/]", "[/]", "[",
    "\\[b]", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "</pre>",
    "</td></tr></table>", "javascript:alert(1)", "{0}{x.__class__}", "%s%n", "${x}", "a\tb",
    "e\u0301" * 40, "\u0e33", "🏴\U000e0067", "a" * 400,
)  # fmt: skip
_TAGS: Final = frozenset(
    {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "pre", "span", "br"}
)
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;]*m")
_UNFIT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MARK: Final = "@@"


class TextTarget:
    """`printable`, pages as text and HTML, errors."""

    name = "text"

    def __init__(self) -> None:
        self._reports = _marked_reports()

    def seeds(self) -> Sequence[bytes]:
        """The corpus that the tests of every display use, too."""
        return [text.encode("utf-8", "surrogatepass") for text in HOSTILE]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Changed characters, or any."""
        if dice.random() < 0.6:
            return mutated(dice, dice.choice(seeds), seeds)
        text = "".join(chr(dice.randrange(0x110000)) for _ in range(dice.randint(1, 12)))
        return text.encode("utf-8", "surrogatepass")

    def check(self, data: bytes) -> None:
        """Show a text, as it is and in one of the reports."""
        text = data.decode("utf-8", "surrogateescape")
        expect_harmless(printable(text))
        error = SrError("SR9999", text, text, text, text)
        for line in error.lines():
            expect_harmless(line)
        report = self._reports[len(data) % len(self._reports)]
        filled = _filled(report, text[:48])
        expect_harmless("".join(plain_lines(page_of(filled))))
        page = make_page(filled)
        expect_harmless(to_text(page).replace("\n", ""))
        expect_plain_html(to_html(page))


def expect_harmless(text: str) -> None:
    """Raise `Violation` for a character that does something."""
    unfit = next((c for c in text if unicodedata.category(c) in _UNFIT), None)
    if unfit is not None:
        raise Violation(f"{unfit!a} in {text[:80]!a}")


class _Tags(HTMLParser):
    """Collects what of a page is not text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}


def expect_plain_html(source: str) -> None:
    """Raise `Violation` for an element or attribute that is not one of ours."""
    found = _Tags(source)
    if not set(found.tags) <= _TAGS or not found.names <= {"class", "style", "colspan"}:
        raise Violation(f"{set(found.tags) - _TAGS} with {found.names} in HTML")


def drawn(report: Any) -> str:  # noqa: ANN401 - a report as JSON
    """What rich draws of a report on a terminal, without the colours that are ours."""
    stream = _Terminal()
    show.show_page(page_of(report), Surroundings(FabricPlace(Path()), out=stream))
    return _ESCAPE.sub("", stream.getvalue()).replace("\n", "")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _filled(value: Any, text: str) -> Any:  # noqa: ANN401 - JSON
    """JSON with the text in place of every mark."""
    if value == _MARK:
        return text
    if isinstance(value, dict):
        return {key: _filled(inner, text) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, text) for inner in value]
    return value


def filled_reports(text: str) -> Iterator[Any]:
    """Every report as JSON, with the text in all its fields."""
    return (_filled(report, text) for report in _marked_reports())


@functools.cache
def _marked_reports() -> tuple[Any, ...]:
    return tuple(json.loads(encode(r)) for _, r in sorted(all_reports(_MARK).items()))
