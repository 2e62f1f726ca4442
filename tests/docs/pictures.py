"""Draws the pictures of README and docs.  ``make pictures`` writes them all anew.

Always true: every picture is a screen of the dashboard, drawn by `srshell shot` from the recording
of a real fabric beside it, or from the report of a test; the same file gives the same bytes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
RECORDING: Final = PICTURES / "lab-east.jsonl"
REPORT: Final = PICTURES / "topology.json"

#: File to the words after ``srshell shot``.
DRAWN: Final[dict[str, tuple[str, ...]]] = {
    "overview.svg": ("overview", "--size", "100x28", "--group", "SqlRG"),
    "group.svg": ("group", "--size", "120x34", "--group", "PriRG"),
    "replay.svg": ("group", "--size", "100x28", "--group", "SqlRG", "--at", "3s"),
    "topology.svg": ("topology", "--size", "120x34"),
}


def draw(name: str, directory: Path) -> Path:
    """Draw one picture into a directory; where it lies."""
    from srshell_tui.__main__ import main  # noqa: PLC0415 - loads the screens

    path = directory / name
    source = REPORT if DRAWN[name][0] == "topology" else RECORDING
    code = main(["shot", *DRAWN[name], "--from", str(source), "-o", str(path)])
    assert code == 0, name
    return path


def main() -> None:
    """Draw them all."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    for name in DRAWN:
        draw(name, PICTURES)


if __name__ == "__main__":
    main()
