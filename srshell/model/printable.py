"""Text of others, made fit to be shown.

Always true: what comes back cannot move a cursor, change a colour, reverse a line or begin one.
"""

from __future__ import annotations

import unicodedata

#: Control, format (which turn the direction of text), surrogate, line and paragraph separators.
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """Text in which characters that do something, and show nothing, are ``?``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("?" if unicodedata.category(c) in _UNFIT else c for c in text)
