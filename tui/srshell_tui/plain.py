"""The dashboard in lines: a sentence when something has changed, commands from standard input.

Always true:

(1) Nothing is written while nothing changes, and no line is ever written over.
(2) Sentences come from the same values as the screens; commands are those of the shell.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import TextIO

import attrs

from srshell.fabric.calls import parse_line
from srshell.fabric.command_spec import Effect
from srshell.fabric.control_client import FabricClient
from srshell.fabric.job_report import has_ended
from srshell.fabric.pages import page_of, printable
from srshell.fabric.pages.words import duration
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell_tui.frame import fabric_name
from srshell_tui.link import Heard, Link, LinkMessage, Lost, Seeking
from srshell_tui.options import Options
from srshell_tui.reel import Reel
from srshell_tui.scene import Couple, Look, Scene, couples
from srshell_tui.screens.parts import progress_text
from srshell_tui.store import Contact, FabricView, Gap, forget, hear, lose, seek
from srshell_tui.text import Tone, to_ascii

#: A copy is told of whenever so many more percent are done.
_COPY_STEP_PERCENT = 10


def summary(view: FabricView, now: float) -> Iterator[str]:
    """The fabric in sentences: the whole first, then one for each replication."""
    name = fabric_name(Scene(view, Look(), now))
    counts = f"{len(view.arrays)} arrays, {len(view.status)} groups"
    yield f"fabric {name}: {view.contact.value}, {counts}"
    for couple in couples(view):
        yield sentence(view, couple)


def sentence(view: FabricView, couple: Couple) -> str:
    """One replication in a sentence."""
    source = couple.source
    if not view.fresh(source):
        moment = time.strftime("%H:%M:%S", time.localtime(view.as_of(source)))
        return f"{couple.title} was {source.replication_state.value} at {moment}, unknown since"
    ready = "yes" if source.failover_ready else f"no, because {source.failover_ready_reason}"
    text = f"{couple.title} is {source.replication_state.value}, health {couple.health.value}, "
    text += f"RPO {duration(source.rpo_seconds).replace('—', 'unknown')}, failover ready: {ready}"
    if source.progress:
        text += f". Copy: {progress_text(source.progress)}"
    return text


def changes(before: FabricView, after: FabricView) -> Iterator[str]:
    """What a person should hear of two views that follow one another."""
    if before.contact is not after.contact:
        yield _contact(after)
    known = {couple.source.name: couple for couple in couples(before)}
    for couple in couples(after):
        old = known.get(couple.source.name)
        if old is None or _standing(before, old) != _standing(after, couple):
            yield sentence(after, couple)
    for group in known.keys() - {couple.source.name for couple in couples(after)}:
        if after.live and group not in after.status:
            yield f"{group} is there no longer"
    last = before.events[-1].id if before.events else 0
    if before.info is not None:
        for event in after.events:
            if event.id > last:
                yield f"{event.level}: {event.object} {event.code} {event.text}"
    for number, job in after.jobs.items():
        old_job = before.jobs.get(number)
        if before.info is not None and (old_job is None or old_job.state is not job.state):
            took = f" after {duration(job.ended_unix - job.began_unix)}" if job.ended_unix else ""
            ended = took if has_ended(job) else ""
            yield f"job {number}, {job.command}: {job.state.value}{ended}"


def tell_past(reel: Reel, from_unix: float, options: Options, out: TextIO | None = None) -> int:
    """Tell a recording in lines, each with its own time, from a moment to its end."""
    writer = PlainDashboard(options, out or sys.stdout)
    index = reel.index_at(from_unix)
    view = reel.view_at(index)
    writer.say("replay: the past, not the present", view.unix)
    for text in summary(view, view.unix):
        writer.say(text, view.unix)
    for number in range(index + 1, len(reel.frames)):
        before, view = view, reel.view_at(number)
        for text in changes(before, view):
            writer.say(text, view.unix)
    return 0


def _contact(view: FabricView) -> str:
    """How the owner is, in a sentence."""
    match view.contact:
        case Contact.LIVE:
            return f"connected. {view.note}".rstrip(". ")
        case Contact.STRANGER:
            return f"another fabric ({view.stranger[:8]}) answers; type accept to follow it"
        case Contact.LOST | Contact.CONNECTING | Contact.QUIET | Contact.PAST:
            return f"owner lost: {view.problem}. Sites go on replicating; retrying for ever"


def _standing(view: FabricView, couple: Couple) -> tuple[object, ...]:
    """What of a replication is worth a new sentence when it changes."""
    source = couple.source
    copy = source.progress
    percent = 100 * copy.done_bytes // copy.total_bytes if copy and copy.total_bytes else -1
    return (
        couple.title, source.replication_state, couple.health, source.failover_ready,
        source.rpo_seconds == 0, view.fresh(source), percent // _COPY_STEP_PERCENT,
    )  # fmt: skip


@attrs.define
class PlainDashboard:
    """One run in lines."""

    options: Options
    out: TextIO = attrs.field(factory=lambda: sys.stdout)
    view: FabricView = attrs.Factory(FabricView)

    def say(self, text: str, unix: float | None = None) -> None:
        """Write a line with its time: now, unless it is of another moment."""
        line = printable(text)
        if self.options.ascii_only:
            line = to_ascii(((line, Tone.PLAIN),))[0][0]
        moment = time.strftime("%H:%M:%S", time.localtime(unix))
        self.out.write(f"{moment} {line}\n")
        self.out.flush()

    async def run(self) -> int:
        """Write until standard input ends with ``quit``, or for ever."""
        options = self.options
        link = Link(options.place, start=options.start, options=options.owner,
                    period_seconds=options.period_seconds, record=options.record)  # fmt: skip
        client = FabricClient(options.place, start=options.start, options=options.owner,
                              read_only=options.read_only)  # fmt: skip
        listening = asyncio.ensure_future(self._listen(link))
        lines = _stdin_lines()
        try:
            while (line := await lines.get()) is not None:
                if line in {"quit", "exit", "q"}:
                    return 0
                if line == "accept":
                    self.view = forget(self.view, time.time())
                    link.begin_again()
                elif line:
                    await self._command(client, line)
                else:
                    now = time.time()
                    for text in summary(self.view.at(now), now):
                        self.say(text)
            # Without input, as in a log, lines are written until somebody ends the process.
            await listening
            return 0
        finally:
            listening.cancel()
            await client.close()

    async def _listen(self, link: Link) -> None:
        """Hear the owner, and tell what has changed."""
        async with aclosing(link.messages()) as messages:
            async for message in messages:
                before = self.view
                try:
                    self.view = _after(before, message, time.time())
                except Gap:
                    link.begin_again()
                    continue
                for text in self._news(before):
                    self.say(text)

    def _news(self, before: FabricView) -> Iterator[str]:
        """What is worth saying since a view."""
        view, now = self.view, time.time()
        if before.info is None and view.info is not None:
            yield from summary(view, now)
        elif before.info is not None or before.problem != view.problem:
            yield from changes(before, view)

    async def _command(self, client: FabricClient, line: str) -> None:
        """Carry a command line out, and write what came of it as the shell does."""
        try:
            call = parse_line(line)
            if call.spec.effect is Effect.RUNS:
                raise SrError.make("SR0108", facts="run it in a shell", option=call.spec.name)
            if call.arguments.get("cancel") and self.options.read_only:
                raise SrError.make("SR9003", facts=f"{call.spec.name} changes the fabric")
            report = await client.perform(call.method, call.arguments)
        except SrError as error:
            for text in error.lines():
                self.say(text)
            return
        page = page_of(json.loads(encode(report)))
        table = [page.columns, *page.rows] if any(page.columns) else [*page.rows]
        for text in (page.headline, *(", ".join(row) for row in table), *page.lines):
            if text:
                self.say(text)


def _after(view: FabricView, message: LinkMessage, now: float) -> FabricView:
    """The view after a message."""
    match message:
        case Heard(frame):
            if view.contact is Contact.STRANGER and not frame.whole:
                return view
            return hear(view, frame, now)
        case Lost(problem):
            return lose(view, problem, now)
        case Seeking():
            return seek(view)


def _stdin_lines() -> asyncio.Queue[str | None]:
    """Lines of standard input, read in a thread; None at its end."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(queue.put_nowait, line.strip())
        loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, name="srshell-input", daemon=True).start()
    return queue
