"""What the owner knows of its sites: asked again and again, so that nobody has to wait for a word.

Always true:

(1) Facts say how old they are; a site that stops answering keeps its last word, growing older.
(2) Every look that brings something new beats the pulse.
(3) A site that cannot be reached is a fact, not an error, for everybody who only looks.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import attrs

from srshell.backends.base import Backend, SitePlan, SiteStanding, SiteState
from srshell.fabric.clock import Clock
from srshell.fabric.pulse import Pulse
from srshell.fabric.snapshot import SiteFacts
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaReport
from srshell.site.api import SiteApi, SiteEvent, SiteReport

#: How long a site is left in peace before it is asked again, when it reports nothing by itself.
POLL_SECONDS = 0.5
_MANY_REPLICAS: Final = 50
#: How old a word may be to answer a question with it, in seconds.
FRESH_SECONDS = 0.05


@attrs.define
class _Known:
    """The last word of one site."""

    report: SiteReport | None = None
    heard: float = 0.0  # monotonic seconds
    reachable: bool = False
    problem: str = ""
    last_event: int = 0
    watcher: asyncio.Task[None] | None = None


class Sites:
    """The sites of a fabric, and what they said last."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        pulse: Pulse,
        hear: Callable[[str, tuple[SiteEvent, ...]], None],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Watch nothing yet.

        Args:
            backend: runs the sites.
            clock: tells the time.
            pulse: beats when a site said something new.
            hear: takes the events of a site, oldest first.
            poll_seconds: how often a silent site is asked.
        """
        self.backend = backend
        self._clock = clock
        self._pulse = pulse
        self._hear = hear
        self._poll_seconds = poll_seconds
        self._known: dict[str, _Known] = {}
        self._plans: dict[str, SitePlan] = {}
        backend.subscribe(self._standing_changed)

    async def start(self, plan: SitePlan, *, held: bool = False) -> None:
        """Run a site and watch it from now on; returns when it answered once, or is held.

        Raises:
            SrError: it does not start; it is watched all the same.
        """
        self._plans[plan.array] = plan
        known = self._known.setdefault(plan.array, _Known())
        try:
            await self.backend.start(plan, held=held)
            if not held:
                await self.look(plan.array)
        finally:
            if known.watcher is None:
                known.watcher = asyncio.create_task(self._watch(plan.array))

    async def forget(self, array: str) -> None:
        """Stop a site and watch it no more."""
        known = self._known.pop(array, None)
        if known is not None and known.watcher is not None:
            known.watcher.cancel()
            with suppress(asyncio.CancelledError):
                await known.watcher
        self._plans.pop(array, None)
        await self.backend.forget(array)

    async def close(self, *, stop_sites: bool) -> None:
        """Watch no more."""
        watchers = [known.watcher for known in self._known.values() if known.watcher is not None]
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        await self.backend.close(stop_sites=stop_sites)

    def api(self, array: str) -> SiteApi:
        """The verbs of a site."""
        return self.backend.site(array)

    def take_over(self, other: Sites) -> None:
        """Begin with the last words that others heard; nobody is watched for that."""
        for array, known in other._known.items():
            self._known[array] = attrs.evolve(known, watcher=None)

    def learn(self, report: SiteReport, reachable: bool) -> None:
        """Take a word of a site without asking for it."""
        known = self._known.setdefault(report.array, _Known())
        known.report, known.heard = report, self._clock.monotonic()
        known.reachable = reachable
        self._pulse.beat()

    def standing(self, array: str) -> SiteStanding:
        """How the process of a site is doing."""
        return self.backend.standing(array)

    def report(self, array: str) -> SiteReport | None:
        """The last word of a site, however old."""
        known = self._known.get(array)
        return known.report if known else None

    async def look(self, array: str) -> SiteReport | None:
        """Ask a site; what it says becomes its last word.  None if it does not answer."""
        known = self._known.setdefault(array, _Known())
        try:
            report = await self.api(array).describe()
        except SrError as error:
            self._lost(array, known, error)
            return None
        new = known.report is None or not known.reachable or _differs(known.report, report)
        known.report, known.heard = report, self._clock.monotonic()
        known.reachable, known.problem = True, ""
        if new:
            self._pulse.beat()
        return report

    async def look_if_stale(self, *arrays: str, fresh_seconds: float = FRESH_SECONDS) -> None:
        """Ask those sites whose last word is older than that; a frozen one is not waited for."""
        now = self._clock.monotonic()
        stale = [
            array
            for array in arrays
            if (known := self._known.get(array)) is not None
            and (known.reachable or known.report is None)
            and now - known.heard >= fresh_seconds
            and self._may_answer(array)
        ]
        # A frozen site must not freeze those who ask about another one.
        tasks = [asyncio.create_task(self.look(array)) for array in stale]
        if tasks:
            await asyncio.wait(tasks, timeout=2 * self._poll_seconds)

    def facts(self, array: str) -> SiteFacts:
        """The last word of a site, as the rules look at it."""
        known = self._known.get(array)
        if known is None or known.report is None:
            return SiteFacts(array, reachable=False)
        return read_facts(
            known.report,
            reachable=known.reachable and self._may_answer(array),
            answered_seconds=max(self._clock.monotonic() - known.heard, 0.0),
        )

    def problem(self, array: str) -> str:
        """Why a site does not answer; empty while it does."""
        known = self._known.get(array)
        said = self.standing(array).problem
        return said or (known.problem if known else "")

    def _may_answer(self, array: str) -> bool:
        """Whether asking makes sense: the process lives and is not known to be frozen."""
        return self.standing(array).state in {SiteState.RUNNING, SiteState.STARTING}

    def _standing_changed(self, standing: SiteStanding) -> None:
        """The supervisor saw a site start, end or freeze."""
        known = self._known.get(standing.array)
        if known is not None and standing.state not in {SiteState.RUNNING, SiteState.STARTING}:
            known.reachable = False
        self._pulse.beat()

    def _lost(self, array: str, known: _Known, error: SrError) -> None:
        """A site did not answer."""
        known.problem = error.facts or error.message
        if known.reachable:
            known.reachable = False
            self._pulse.beat()

    async def _watch(self, array: str) -> None:
        """Ask a site whenever it has something to say, and at the least every poll."""
        known = self._known[array]
        while True:
            if not self._may_answer(array):
                await self._pulse.after(self._pulse.mark, self._poll_seconds)
                continue
            if await self.look(array) is None:
                await asyncio.sleep(self._poll_seconds)
                continue
            await self._listen(array, known)

    async def _listen(self, array: str, known: _Known) -> None:
        """Wait for the next events of a site, for at most one poll."""
        assert known.report is not None
        if known.last_event == 0 or known.report.last_event < known.last_event:
            known.last_event = known.report.last_event
        try:
            pause = _pause_seconds(self._poll_seconds, len(known.report.replicas))
            events = await self.api(array).events(known.last_event, pause)
        except SrError:
            # The next look says what is the matter with the site itself.
            return
        if events:
            known.last_event = events[-1].id
            self._hear(array, events)


def _pause_seconds(poll_seconds: float, replicas: int) -> float:
    """How long a silent site is left alone: a report of many replicas costs more to make.

    At most twice as long, which is half of the time for which its word counts as fresh.
    """
    return poll_seconds * (1 + min(replicas, _MANY_REPLICAS) / _MANY_REPLICAS)


def read_facts(report: SiteReport, *, reachable: bool, answered_seconds: float) -> SiteFacts:
    """The facts in a site's report."""
    replicated = {layout.name for replica in report.replicas for layout in replica.volumes}
    return SiteFacts(
        array=report.array,
        reachable=reachable,
        answered_seconds=answered_seconds,
        pool_failures={p.name: p.facts for p in report.problems if p.noun == "pool"},
        replica_failures={
            p.partnership: f"{p.code} {p.message} {p.facts}".strip()
            for p in report.problems
            if p.noun == "replica"
        },
        open_writers={
            volume: "its NBD export"
            for volume in report.exports
            if volume not in replicated and "@" not in volume  # images of branches are read-only
        },
        log_labels={v.name: v.partnership for v in report.volumes if v.log and v.partnership},
        replicas=report.replicas,
    )


def _differs(before: SiteReport, after: SiteReport) -> bool:
    """Whether a site says something new, its clock aside."""
    return (
        _SITE_NEWS(before) != _SITE_NEWS(after)
        or len(before.replicas) != len(after.replicas)
        or any(
            _REPLICA_NEWS(old) != _REPLICA_NEWS(new) or _pace(old) != _pace(new)
            for old, new in zip(before.replicas, after.replicas, strict=True)
        )
    )


def _pace(replica: ReplicaReport) -> tuple[float, float]:
    """Rates count: they are zero again soon after the last write, which is news."""
    return replica.rates.writes_per_second, replica.rates.bytes_per_second


def _fields_but(kind: type, *names: str) -> Callable[[Any], tuple[Any, ...]]:
    """What takes all fields of a report but those that only time changes."""
    fields = [field.name for field in attrs.fields(kind) if field.name not in names]
    return operator.attrgetter(*fields)


_SITE_NEWS: Final = _fields_but(SiteReport, "as_of", "replicas")
_REPLICA_NEWS: Final = _fields_but(ReplicaReport, "as_of", "latency", "rates")
