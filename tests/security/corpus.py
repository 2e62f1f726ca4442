"""Names and places that nobody should be able to use, and who they are tried as.

Always true: each row says in its first word what is wrong with it.
"""

from __future__ import annotations

from typing import Final

#: What a name must never be: it becomes a file, an export, a word of a command line.
NAMES: Final[dict[str, str]] = {
    "empty": "",
    "here": ".",
    "parent": "..",
    "climb": "../../etc/passwd",
    "climb-in-the-middle": "a/../../b",
    "absolute": "/etc/passwd",
    "slash": "a/b",
    "backslash": "..\\..\\x",
    "hidden": ".srshell-pool",
    "lock": ".srshell-pool.lock",
    "option": "-rf",
    "long-option": "--json",
    "space": "a b",
    "leading-space": " a",
    "line-feed": "a\nb",
    "return": "a\rb",
    "tab": "a\tb",
    "nul": "a\0b",
    "escape": "\x1b[31mred",
    "bell": "a\x07",
    "c1": "a\x9bm",
    "bidi": "a\u202egnp",
    "zero-width": "a\u200bb",
    "nbsp": "a\u00a0b",
    "ligature": "ﬁle",
    "decomposed": "e\u0301",
    "composed": "é",
    "cyrillic": "\u0420riRG",
    "digit-of-another-script": "vol٣",
    "full-width": "\uff30riRG",
    "surrogate": "a\udc80",
    "markup": "[red]x",
    "html": "<b>x</b>",
    "quote": "a'b",
    "shell": "$(id)",
    "glob": "*",
    "percent": "%2e%2e",
    "too-long": "a" * 65,
    "far-too-long": "a" * 100_000,
}
