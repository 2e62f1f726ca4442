"""An owner that ends is waited for, and found again with everything that happened meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from srshell.fabric.feed import Frame
from srshell.fabric.place import FabricPlace
from srshell_tui.link import Heard, Link, Lost, Seeking
from srshell_tui.shot import read_recording
from srshell_tui.store import Contact, FabricView, hear, lose, seek
from tests.tui import gallery, states
from tests.tui.steering import dashboard, text_of
from tests.unit.fabric.serving import Served, serve
from tests.unit.fabric.setting import Opener, memory_path, opener, protect, world

__all__ = ["memory_path", "opener", "world"]


def _begin(opener: Opener, stack: list[Any], *, first: bool = False) -> Served:
    """An owner, in a thread of this process."""
    context = serve(opener.open())
    served = context.__enter__()
    stack.append(context)
    if first:
        served.loop.run(protect(served.session, opener))
    return served


async def test_an_owner_is_lost_and_found(opener: Opener) -> None:
    """The view goes from live to lost and back; what was chosen on it is nobody's concern here."""
    stack: list[Any] = []
    served = await asyncio.to_thread(_begin, opener, stack, first=True)
    link = Link(served.session.context.place, start=False, period_seconds=0.2)
    view = FabricView()
    contacts: list[str] = []
    async with aclosing(link.messages()) as messages:
        async for message in messages:
            match message:
                case Heard(frame):
                    view = hear(view, frame, states.NOW)
                case Lost(problem):
                    view = lose(view, problem, states.NOW)
                case Seeking():
                    view = seek(view)
            if view.contact.value not in contacts[-1:]:
                contacts.append(view.contact.value)
                if contacts == ["connected"]:
                    await asyncio.to_thread(stack.pop().__exit__, None, None, None)
                elif contacts[-1] == Contact.LOST.value:
                    await asyncio.to_thread(_begin, opener, stack)
                else:
                    break
    await asyncio.to_thread(stack.pop().__exit__, None, None, None)
    assert contacts == ["connected", "owner lost", "connected"]
    assert view.note.startswith("owner restarted")
    assert view.status["PriRG"].replication_state == "Synchronizing"


async def test_a_link_that_begins_again_gets_a_whole_picture(opener: Opener) -> None:
    """What a gap in the frames has to be followed by."""
    stack: list[Any] = []
    served = await asyncio.to_thread(_begin, opener, stack, first=True)
    record = opener.directory / "record"
    link = Link(served.session.context.place, start=False, period_seconds=0.2, record=record)
    whole = []
    async with aclosing(link.messages()) as messages:
        async for message in messages:
            assert isinstance(message, Heard)
            whole.append(message.frame.whole)
            if len(whole) == 2:
                link.begin_again()
            if whole.count(True) == 2:
                break
    await asyncio.to_thread(stack.pop().__exit__, None, None, None)
    assert whole[:2] == [True, False]
    assert read_recording(record).status["PriRG"].replication_state == "Synchronizing"


async def test_a_fabric_without_an_owner_is_waited_for(opener: Opener) -> None:
    """A dashboard may be opened first; it says why it is empty."""
    link = Link(FabricPlace(opener.directory / "none"), start=False)
    view = FabricView()
    async with aclosing(link.messages()) as messages:
        async for message in messages:
            if isinstance(message, Seeking):
                break
            assert isinstance(message, Lost)
            view = lose(view, message.problem, states.NOW)
    assert view.contact is Contact.CONNECTING
    assert "SR9001" in view.problem


async def test_an_owner_that_froze_is_not_shown_as_the_present() -> None:
    """Nothing ends, and nothing is said: every value is marked until it speaks again."""
    app = dashboard(gallery.sync())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "0 s yes" in text_of(app)
        heard = app.view.heard
        app.clock = lambda: heard + 3
        app.redraw()
        text = text_of(app)
        assert "○ last heard 00:03 ago" in text
        assert "● Synchronizing?" in text
        assert "yes" not in text
        view = app.view
        app.take(Heard(Frame(view.seq + 1, view.unix + 3, whole=False)))
        assert "0 s yes" in text_of(app)
