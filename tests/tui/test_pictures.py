"""The pictures of README and docs are what the dashboard draws today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pictures import DRAWN, PICTURES, draw


@pytest.mark.parametrize("name", DRAWN)
def test_a_committed_picture_is_the_screen_as_it_is(name: str, tmp_path: Path) -> None:
    """Who changes a screen draws them anew: ``make pictures``."""
    drawn = draw(name, tmp_path).read_text(encoding="utf-8")
    assert drawn == (PICTURES / name).read_text(encoding="utf-8")
    assert "@font-face" not in drawn  # it loads nothing from elsewhere


def test_no_picture_is_left_of_one_that_is_no_longer_drawn() -> None:
    """A picture that nothing draws would grow old unseen."""
    assert {path.name for path in PICTURES.glob("*.svg")} == set(DRAWN)
