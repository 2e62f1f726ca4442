"""Each wizard to its end, on an owner that carries out what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
from textual.pilot import Pilot

from srshell.model.replica import Divergence
from srshell_tui.app import Dashboard
from srshell_tui.store import Contact
from srshell_tui.wizard import Stage
from srshell_tui.wizard_sheet import WizardSheet
from tests.tui.steering import OPTIONS, text_of
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.serving import Served, serve
from tests.unit.fabric.setting import Opener, discover_both, memory_path, opener, protect, world

__all__ = ["memory_path", "opener", "world"]


@attrs.frozen
class Person:
    """Somebody at a dashboard that hears a fabric."""

    app: Dashboard
    pilot: Pilot[int]
    served: Served

    async def press(self, *keys: str) -> None:
        """Press keys; what they begin is waited for on the screen."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def see(self, *words: str) -> str:
        """Wait until words are on the screen."""
        for _ in range(120):
            await self.pilot.pause(0.02)
            if all(word in text_of(self.app) for word in words):
                return text_of(self.app)
        raise AssertionError(f"{words} not on the screen:\n{text_of(self.app)}")

    async def confirm(self, name: str) -> str:
        """Type the name that a wizard asks for, and wait for its end."""
        await self.see(f"type {name} to run it")
        await self.press(*name)
        await self.press("enter")
        return await self.end()

    async def end(self) -> str:
        """Wait until a wizard is over, and leave it."""
        sheet = self.app.screen
        assert isinstance(sheet, WizardSheet), sheet
        text = await self.see("[5 result]")
        assert sheet.wizard.stage is Stage.DONE
        assert sheet.wizard.error is None, text
        await self.press("escape")
        assert self.app.screen is self.app.board
        return text


@asynccontextmanager
async def somebody(opener: Opener, *, protected: bool = True) -> AsyncIterator[Person]:
    """A person who has just opened the dashboard."""
    context = serve(opener.open())
    served = await asyncio.to_thread(context.__enter__)
    setup = protect if protected else discover_both
    await asyncio.to_thread(served.loop.run, setup(served.session, opener))
    options = attrs.evolve(OPTIONS, place=served.session.context.place, period_seconds=0.2)
    app = Dashboard(options)
    async with app.run_test(size=(100, 40)) as pilot:
        person = Person(app, pilot, served)
        await person.see("● connected")
        assert app.view.contact is Contact.LIVE
        yield person
    await asyncio.to_thread(context.__exit__, None, None, None)


async def test_roles_change_there_and_back(opener: Opener) -> None:
    """The keys of a group, one after the other, each seen in the next picture."""
    async with somebody(opener) as person:
        await person.press("enter")
        await person.see("[Synchronizing]")
        await person.press("p")
        await person.see("Run it?")
        await person.press("tab", "enter")
        await person.end()
        await person.see("[Suspended]")
        await person.press("p")
        await person.see("resume PriRG")
        await person.press("tab", "enter")
        await person.end()
        await person.see("[Synchronizing]")
        await person.press("F", "enter")
        assert "RecRG is primary" in await person.confirm("RecRG")
        await person.see("RecRG > PriRG")
        await person.press("B")
        assert "PriRG is primary" in await person.confirm("PriRG")
        await person.see("PriRG > RecRG", "[Synchronizing]")
        await person.press("X", "enter")
        assert "torn down" in await person.confirm("PriRG")
        status = await asyncio.to_thread(person.served.loop.run, person.served.session.status())
    assert {row.replication_state.value for row in status} == {"Disabled"}


async def test_an_unplanned_failover_goes_the_same_way(opener: Opener, world: FakeWorld) -> None:
    """The plan names what is done to the source first."""
    async with somebody(opener) as person:
        await person.press("F", "down", "enter")
        await person.see("--unplanned", "Plan")
        assert "is primary" in await person.confirm("RecRG")


async def test_a_split_brain_is_ended_by_naming_the_loser(opener: Opener, world: FakeWorld) -> None:
    """What each side holds alone is shown before one is given up."""
    async with somebody(opener) as person:
        partnership = next(iter(world.sites["A"].replicas))
        alone = Divergence(5, 7, 2, 8192)
        world.sites["A"].change(partnership, split=alone, peer_split=alone)
        world.sites["B"].change(partnership, split=alone, peer_split=alone)
        await person.see("SplitBrain")
        await person.press("K")
        await person.see("keep A", "keep B")
        await person.press("enter")
        await person.see("type B to run it")


async def test_volumes_are_provisioned_by_answers(opener: Opener) -> None:
    """Part by part; the answers are one command line, and its plan is shown."""
    async with somebody(opener, protected=False) as person:
        await person.press("P")
        await person.see("source volume")
        await person.press("ctrl+u", "V", "2", *["enter"] * 3, "ctrl+u", "L", *["enter"] * 5)
        await person.see("Plan", "provision V2 RecoveryVol --size 1G --logs L RecoveryLogVol")
        await person.press("tab", "enter")
        assert "4 volumes made" in await person.end()
        await person.press("3")
        await person.see("Volumes (4)", "V2", "RecoveryLogVol")


@pytest.mark.parametrize("keys", [("B",), ("K", "enter")])
async def test_what_the_rules_forbid_is_refused_with_its_reason(
    opener: Opener, keys: tuple[str, ...]
) -> None:
    """Nothing to fail back, nothing to resolve: said before anything is asked."""
    async with somebody(opener) as person:
        await person.press(*keys)
        text = await person.see("Refused, nothing has changed")
    assert "SR" in text
    assert "mend" in text
