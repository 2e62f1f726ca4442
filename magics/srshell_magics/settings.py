"""What a person can set for the commands in one shell: `%config SRShell`.

Always true: a setting holds for the next command; no setting changes what a command does to the
fabric.
"""

from __future__ import annotations

import os

from traitlets import Bool, Enum, Float, Int
from traitlets.config import Configurable

#: Set by a grader that runs notebooks; its cells end after 30 s.
GRADING_VARIABLE = "NBGRADER_EXECUTION"
GRADING_TIMEOUT_SECONDS = 25.0


class SRShell(Configurable):
    """The commands of srshell in this shell."""

    short_names = Bool(True, help="offer %pair, %status, …; %sr is always there").tag(config=True)
    progress = Enum(
        ["auto", "line", "off"],
        default_value="auto",
        help="auto: one line that is written over, where somebody watches; line: lines; off: none",
    ).tag(config=True)
    confirm = Enum(
        ["line", "ask"],
        default_value="line",
        help="line: show the line with --confirm; ask: let the name be typed where it can be",
    ).tag(config=True)
    read_only = Bool(False, help="refuse every command that changes something").tag(config=True)
    timeout = Float(600.0, min=0.0, help="seconds that a command is waited for").tag(config=True)
    display_limit = Int(100, min=1, help="rows of a table that are shown").tag(config=True)
    ascii = Bool(False, help="show no characters beyond ASCII of our own").tag(config=True)

    def wait_seconds(self) -> float:
        """How long a command that names no ``--timeout`` is waited for."""
        if os.environ.get(GRADING_VARIABLE):
            return min(self.timeout, GRADING_TIMEOUT_SECONDS)
        return self.timeout
