"""A transcript: a text of commands, each with the lines that it is expected to print.

    # A comment, which also says why the scenario is there.
    group continue
    > A writes 1
    > A log holds 1
    Acknowledge lsn=1

Always true: `rewritten` of a transcript that passes is the transcript itself.
"""

from __future__ import annotations

from pathlib import Path

from srshell.model.replica import OnPeerLoss
from tests.transcripts.two_sides import TwoSides

FOLDER = Path(__file__).with_name("scenarios")


def scenarios() -> list[Path]:
    """Every transcript, by name."""
    return sorted(FOLDER.glob("*.txt"))


def rewritten(text: str) -> str:
    """The transcript with what the commands print now.

    Raises AssertionError when a machine is broken or a line cannot be read.
    """
    sides: TwoSides | None = None
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("group "):
            sides = TwoSides(OnPeerLoss(line.removeprefix("group ")))
        elif line.startswith("> "):
            assert sides is not None, "a transcript begins with its group"
            lines += [line, *sides.do(line.removeprefix("> "))]
            continue
        elif line and not line.startswith("#"):
            continue  # what was printed before
        lines.append(line)
    return "\n".join(lines) + "\n"
