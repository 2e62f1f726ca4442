"""Watches the words of all groups change, and tells the journal what that means.

Always true:

(1) What is told was seen: a change between two looks is told once, with the word before and after.
(2) The first look after the owner started only remembers; it tells nothing.
(3) A resync that was over between two looks is told, too, before the word that came after it; and
    so is a first copy, through which every group passes.
"""

from __future__ import annotations

import attrs

from srshell.fabric.context import Context
from srshell.fabric.snapshot import View
from srshell.fabric.splits import seen_split, split_text
from srshell.model.inventory import Partnership
from srshell.model.replica import Flow
from srshell.model.states import ReplicationState

_S = ReplicationState
_WAITING = frozenset({_S.WAITING_FOR_DESTINATION, _S.WAITING_FOR_SOURCE})
#: How often groups are looked at when nothing was heard, in seconds.
_LOOK_SECONDS = 1.0


@attrs.define
class _Copy:
    """How far a copy was, and when it moved last."""

    done_bytes: int
    moved: float  # monotonic seconds


class Observer:
    """Looks at every group after every change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._words: dict[str, ReplicationState] = {}
        self._copies: dict[str, _Copy] = {}
        self._resyncs: dict[str, int] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            mark = self._context.pulse.mark
            self.look()
            await self._context.pulse.after(mark, _LOOK_SECONDS)

    def look(self) -> None:
        """Compare every group with the last look."""
        view = self._context.view()
        for group in view.snapshot.groups:
            word = view.state(group.name)
            before = self._words.get(group.name)
            self._words[group.name] = word
            self._watch_copy(view, group.name)
            resync = self._new_resync(view, group.name)
            if before is None:
                continue
            path = f"{before.value} > {word.value}"
            if resync is Flow.INITIAL_COPY and _S.REPLICATING not in {before, word}:
                path = f"{before.value} > {_S.REPLICATING.value} > {word.value}"
            elif resync not in {None, Flow.INITIAL_COPY} and word is not _S.RESYNCHRONIZING:
                self._tell_resync(group.name, resync, path)
            if before is not word:
                self._tell(view, group.name, before, word, path)
        for partnership in view.snapshot.partnerships:
            # While roles change, what the sites said last is older than the change.
            settled = partnership.failed_over and partnership.partnership not in view.busy
            primary = view.primary_of(partnership.source)
            if settled and primary and view.state(primary) is _S.SYNCHRONIZING:
                self._back_in_sync(partnership)

    def _back_in_sync(self, partnership: Partnership) -> None:
        """The sides are in step again after a role change."""
        self._context.put(attrs.evolve(partnership, failed_over=False))

    def _watch_copy(self, view: View, group: str) -> None:
        """Measure for how long a copy has not moved."""
        report = view.report(group)
        now = self._context.clock.monotonic()
        if report is None or report.progress is None:
            self._copies.pop(group, None)
            self._context.stalled.pop(group, None)
            return
        known = self._copies.get(group)
        if known is None or known.done_bytes != report.progress.done_bytes:
            self._copies[group] = _Copy(report.progress.done_bytes, now)
            self._context.stalled.pop(group, None)
        else:
            self._context.stalled[group] = now - known.moved

    def _tell(
        self, view: View, group: str, before: ReplicationState, word: ReplicationState, path: str
    ) -> None:
        """Say what a change of the word means; the primary speaks for both sides."""
        journal = self._context.journal
        if word is _S.ERROR:
            self._tell_error(view, group, path)
        elif word is _S.SPLIT_BRAIN:
            deltas = split_text(seen_split(view, group))
            journal.say("SR6005", group, f"{deltas} ({path})" if deltas else path, group=group)
        elif view.primary_of(group) != group:
            return
        elif word is _S.SYNCHRONIZING:
            journal.say("SR5201", group, path, group=group)
        elif word in _WAITING and not self._coming_up(view, group, before):
            array = view.snapshot.group(group).array
            peer = view.partner(group)
            other = view.snapshot.group(peer).array if peer else "its peer"
            journal.say("SR8004", group, path, array=array, peer=other)
        elif word is _S.RESYNCHRONIZING:
            report = view.report(group)
            self._tell_resync(group, report.flow if report else Flow.LOG_REPLAY, path)

    def _new_resync(self, view: View, group: str) -> Flow | None:
        """The way of a resync that began since the last look; remembers how many there were."""
        report = view.report(group)
        total = report.resyncs_total if report is not None else 0
        before = self._resyncs.get(group, 0)
        self._resyncs[group] = total
        return report.resync if report is not None and total > before else None

    def _tell_resync(self, group: str, way: Flow, path: str) -> None:
        """Say by which way the peer catches up, or has caught up."""
        journal = self._context.journal
        if way is Flow.LOG_REPLAY:
            journal.note("info", group, "SR5202", f"{group} catches up from the log: {path}")
        else:
            journal.say("SR5203", group, path, group=group)

    def _coming_up(self, view: View, group: str, before: ReplicationState) -> bool:
        """Whether the link is expected to be down for a moment: at the start, in a role change."""
        partnership = view.snapshot.partnership_of(group)
        changing = partnership is not None and partnership.partnership in view.busy
        return changing or before is _S.READY

    def _tell_error(self, view: View, group: str, path: str) -> None:
        """A side is in error: its site is down, or something of it has failed."""
        array = view.snapshot.group(group).array
        report = view.report(group)
        if report is not None and report.failure:
            text = f"{group} at {array} has failed: {report.failure} ({path})"
            self._context.journal.note("error", group, "SR9220", text)
        else:
            problem = self._context.sites.problem(array)
            facts = f"{problem} ({path})" if problem else path
            self._context.journal.say("SR9301", group, facts, array=array)
