"""Who looks at the output of a command, and whether anybody can be asked.

Always true:

(1) A kernel whose front end takes no input (nbclient, papermill, a grader) is headless: nobody
    watches while a cell runs, and nobody can be asked.
(2) Nothing is ever asked of a headless front.
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Our own signs, and what stands for them where only ASCII can be shown.
_ASCII = str.maketrans(
    {"↳": "->", "→": "->", "↔": "<->", "●": "*", "▲": "!", "✖": "X", "○": "o", "—": "-", "…": "..."}
)


class Watching(Enum):
    """How somebody sees a command go on."""

    NOBODY = "nobody"  # output is read when the cell has ended
    NOTEBOOK = "notebook"  # an output can be replaced
    TERMINAL = "terminal"  # a line can be written over


@attrs.frozen
class Front:
    """What is in front of the shell during one command."""

    watching: Watching
    can_ask: bool
    encoding: str = "utf-8"

    @classmethod
    def of(cls, shell: InteractiveShell) -> Front:
        """The front of a shell, for the command that runs now."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        kernel = getattr(shell, "kernel", None)
        if kernel is not None:
            # The kernel notes with each request whether its sender takes input.
            attended = bool(getattr(kernel, "_allow_stdin", False))
            watching = Watching.NOTEBOOK if attended else Watching.NOBODY
            return cls(watching, attended, encoding)
        terminal = _is_terminal(sys.stdout) and os.environ.get("TERM", "") != "dumb"
        watching = Watching.TERMINAL if terminal else Watching.NOBODY
        return cls(watching, _is_terminal(sys.stdin) and _is_terminal(sys.stdout), encoding)


def _is_terminal(stream: object) -> bool:
    """Whether a stream, if there is one, leads to a terminal."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def fitting(text: str, encoding: str = "", *, ascii_only: bool = False) -> str:
    """Text with signs that the output can show."""
    wanted = encoding or getattr(sys.stdout, "encoding", None) or "utf-8"
    if ascii_only:
        text = text.translate(_ASCII)
    try:
        text.encode(wanted)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(wanted, "replace").decode(wanted)
    except LookupError:
        return text.translate(_ASCII)
    return text
