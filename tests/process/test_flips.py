"""A slice of the drill in `tests.soak.flips`: some rounds of each kind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.soak.flips import flips


async def test_what_rots_is_found_and_mended_in_the_right_direction(tmp_path: Path) -> None:
    """Resting, under writers, and on a side that lost its power."""
    figures: Counter[str] = Counter({"violations": 0})
    await flips(range(75), tmp_path, figures)
    assert figures["violations"] == figures["wrong_direction"] == 0
    assert (figures["flips"], figures["found"]) == (75, 75)
    assert figures["repaired"] > 25
    assert (figures["resting"], figures["busy"], figures["stopped"]) == (1, 1, 1)
