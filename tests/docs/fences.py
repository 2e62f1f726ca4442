"""Fenced blocks of a page: what kind each is, what a reader would type, and what the page shows.

Always true: a block of an executed kind is executed, or has its reason in ``NOT_RUN``.

    sh        commands as a person pastes them; no output is shown
    console   lines that begin with ``$ `` are typed, the others are what they print
    python    a program
    ipython   lines that begin with ``In [1]: `` are typed, the others are what they print
    text      a picture or a layout; nothing in it can be typed
    toml      what a file may hold
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent.parent
EXECUTED = frozenset({"sh", "console", "python", "ipython"})
KINDS = EXECUTED | {"text", "toml"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^(?:\$ |In \[\d+\]: )(.*)$")
#: In a page: any text of one line; alone on its line, any number of lines.
ELLIPSIS = "…"

#: Page and first line of a block that is not run here, and why.
NOT_RUN = {
    ("README.md", "make demo"): "`make demo` has a test of its own; `make test` is this very run",
    (
        "docs/performance.md",
        "make bench",
    ): "takes minutes; tests/process/test_bench.py runs it short",
    ("docs/performance.md", "make bench-long"): "takes 20 minutes; test_bench.py runs it short",
    ("docs/reliability.md", "make soak"): "takes hours; tests/soak runs its pieces",
}


@attrs.frozen
class Exchange:
    """Something typed, and the lines that the page shows for it (none: nothing is promised)."""

    typed: str
    shown: tuple[str, ...] = ()


@attrs.frozen
class Fence:
    """One block."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def not_run(self) -> str:
        """Why the block is not run; empty when it is."""
        first = self.text.splitlines()[0].split("  ")[0].strip() if self.text else ""
        return NOT_RUN.get((self.page, first), "")

    def exchanges(self) -> list[Exchange]:
        """What is typed, piece by piece, with what each shows."""
        if self.kind in {"sh", "python"}:
            return [Exchange(self.text)]
        found: list[Exchange] = []
        for line in self.text.splitlines():
            prompt = _PROMPT.match(line)
            if prompt:
                found.append(Exchange(prompt[1]))
            elif found and not found[-1].shown and found[-1].typed.endswith("\\"):
                found[-1] = Exchange(f"{found[-1].typed}\n{line}")
            else:
                assert found, f"{self}: output stands before the first prompt"
                found[-1] = attrs.evolve(found[-1], shown=(*found[-1].shown, line))
        return found


def pages() -> list[str]:
    """README and every page below docs, by path."""
    return [
        "README.md",
        *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
    ]


def fences(page: str) -> list[Fence]:
    """The blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Fence(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
    ]


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether the printed text is what the page shows; widths of columns do not count."""
    pattern = ""
    for line in shown:
        if line.strip() == ELLIPSIS:
            pattern += r"(?:.*\n)*?"
            continue
        pieces = (re.escape(piece) for piece in " ".join(line.split()).split(ELLIPSIS))
        pattern += ".*?".join(pieces) + r"\n"
    lines = [" ".join(line.split()) for line in printed.splitlines() if line.strip()]
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None
