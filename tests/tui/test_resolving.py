"""A real split brain, seen and ended by keys: two processes that both lead, and one branch."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import attrs
import pytest
from textual.pilot import Pilot

from srshell_tui.app import Dashboard
from srshell_tui.wizard_sheet import WizardSheet
from tests.process.fabric_pair import open_fabric_pair
from tests.process.rivals import SPLITTING, meet, oppose
from tests.tui.steering import OPTIONS, text_of

#: How long something may take to be seen, in seconds.
_PATIENCE_SECONDS = 60.0


async def see(pilot: Pilot[int], app: Dashboard, *words: str) -> str:
    """Wait until words are on the screen."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not all(word in text_of(app) for word in words):
        assert time.monotonic() < end, f"{words} not on the screen:\n{text_of(app)}"
        await asyncio.sleep(0.05)
        await pilot.pause()
    return text_of(app)


@pytest.mark.slow
async def test_a_split_brain_is_ended_to_its_end(tmp_path: Path) -> None:
    """Both deltas are shown, the loser is named by a person, what it held is kept as a branch."""
    async with open_fabric_pair(tmp_path) as pair:
        pattern = SPLITTING["one write each"](random.Random(5))
        rivals = await oppose(pair, pattern, by_command=False)
        await meet(rivals)
        await rivals.seen_by_both()
        app = Dashboard(attrs.evolve(OPTIONS, place=pair.place, period_seconds=0.25))
        async with app.run_test(size=(110, 40)) as pilot:
            await see(pilot, app, "SplitBrain")
            await pilot.press("enter", "K")
            await see(pilot, app, "keep A", "keep B")
            keep = rivals.new
            assert isinstance(app.screen, WizardSheet)
            labels = [option.label for option in app.screen.wizard.options]
            await pilot.press(*["down"] * labels.index(f"keep {keep}"), "enter")
            await see(pilot, app, f"type {rivals.old} to run it", "branch")
            await pilot.press(rivals.old, "enter")
            await see(pilot, app, "[5 result]")
            await pilot.press("escape")
            await see(pilot, app, "[Synchronizing]")
        assert await pair.in_sync() == keep
        (branch,) = (await pair.client.branches()).branches
        assert branch.array == rivals.old
