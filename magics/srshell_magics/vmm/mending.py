"""The article's broken lines, put right; and its prose, left out.

Always true:

(1) A line is mended only if it is one of those that the article has wrong; each says how.
(2) Prose is what begins like a sentence or a list of a page and names no cmdlet; it is left out,
    and counted.
(3) What a person wrote is never guessed at: another line that cannot be read stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import attrs

_CMDLET: Final = r"(?:Get|Set|New|Remove|Read)-SC[A-Za-z]+"


@attrs.frozen
class Mended:
    """A statement that can be read, and what was changed in it; empty when nothing was."""

    text: str
    why: tuple[str, ...] = ()


@attrs.frozen
class _Mend:
    """One thing that the article has wrong."""

    broken: re.Pattern[str]
    right: str | Callable[[re.Match[str]], str]
    why: str


_MENDS: Final = (
    _Mend(
        re.compile(rf"^\s*(?:[A-Za-z]+ )+(?={_CMDLET}\b)"),
        "",
        "the words before the cmdlet are a sentence",
    ),
    _Mend(
        re.compile(r"^\$\s+\$\s+PriPoolName\s+\$RecPool\s*=\s*Get-SCStoragePool\s+-Name\s+\$$"),
        "$PriPool = Get-SCStoragePool -Name $PriPoolName",
        "the line of the primary pool is garbled",
    ),
    _Mend(
        re.compile(r"^\$\s+\$PriPoolName\s+\$RecPool\s*=\s*Get-SCStoragePool\s+-Name\s+\$$"),
        "$RecPool = Get-SCStoragePool -Name $RecPoolName",
        "the line of the secondary pool is garbled",
    ),
    _Mend(re.compile(r"^RecArray(?=\s*=)"), "$RecArray", "a variable begins with $"),
    _Mend(
        re.compile(r"(?<=\s)-\s+(?=Name\s+\$)"), "-", "there is no space between the dash and Name"
    ),
    _Mend(re.compile(r"\bSRecRG\b"), "$RecRG", "SRecRG is $RecRG"),
    _Mend(
        re.compile(r"(?<=-Operation TearDown)\s+Tear down need to be done on both RGs\s*$"),
        "",
        "the words after TearDown are a sentence",
    ),
)
_PROSE: Final = re.compile(
    r"^(?:\d+\.\s|[*>+-]\s|>|\[|!\[|\||<!--|```|~~~)"  # a list, quotation, link, table, fence
    r"|^[A-Z][\w'/-]*[ ,.:](?=.*[a-z])"  # a sentence
)
_CODE: Final = re.compile(rf"{_CMDLET}\b|^[A-Z]\w+-[A-Z]\w\w|^\s*\$|\s=\s")


def mended(text: str) -> Mended:
    """Return a statement with what the article has wrong in it put right."""
    why = []
    for mend in _MENDS:
        changed = mend.broken.sub(mend.right, text)
        if changed != text:
            why.append(mend.why)
            text = changed
    return Mended(text, tuple(why))


def is_prose(text: str) -> bool:
    """Whether a statement is a sentence or a mark of the page, and no command."""
    return _PROSE.match(text) is not None and _CODE.search(text) is None
