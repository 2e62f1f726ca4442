"""The machines of two sites, told as text: each event prints what a person once agreed to.

A change that is wanted: ``python -m tests.transcripts --rewrite``, then read the difference.
"""

from pathlib import Path

import pytest

from tests.transcripts.transcript import rewritten, scenarios


@pytest.mark.parametrize("path", scenarios(), ids=lambda path: path.stem)
def test_the_scenario_goes_as_told(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert rewritten(text) == text


@pytest.mark.parametrize("path", scenarios(), ids=lambda path: path.stem)
def test_the_scenario_says_what_it_is_about(path: Path) -> None:
    """Before its first command."""
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_what_a_command_prints_is_compared() -> None:
    """A runner that compared nothing would pass everything."""
    told = "group continue\n> A writes 1\n> A log holds 1\n> A hears confirm 1\n"
    assert rewritten(told) == f"{told}Acknowledge lsn=1\n"
    with pytest.raises(AssertionError, match="no such command"):
        rewritten("group continue\n> A dances\n")
