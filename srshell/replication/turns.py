"""Whose copy goes on next: turns by priority, under a common rate and under rates of their own.

A copy asks for a turn before it reads an extent, and goes on when it is granted.  Among those who
wait, the one that had least in proportion to its priority is next.

Always true:

(1) Of all granted bytes but the last turn's, no more than ``rate x (T + SLACK_SECONDS)`` fall into
    any T seconds; the same holds for each copy and its own rate.
(2) Copies that always wait get bytes in proportion to their priorities, to within a turn each and
    `CREDIT_BYTES`, as far as their own rates let them.
(3) While somebody waits who may go on, the common rate is used: nobody is kept waiting for another
    one who does not ask.
(4) Who comes late, or comes back, gets no more than `CREDIT_BYTES` ahead of the others.
(5) A rate of 0 keeps nobody waiting.
"""

from __future__ import annotations

from typing import Final

import attrs

from srshell.model.copying import CopyPlan, CopyTerms

#: Time that went unused may be made up for so far: timers are late by some milliseconds.
SLACK_SECONDS: Final = 0.05
#: Who is slow to ask again loses its turn, but so much of its share it may still catch up with.
CREDIT_BYTES: Final = 4 << 20


@attrs.define
class _Bucket:
    """A rate, and from when on it lets the next turn pass."""

    bytes_per_second: int = 0
    free_at: float = 0.0

    def set(self, bytes_per_second: int) -> None:
        """Another rate; what was owed under the old one is forgiven."""
        if bytes_per_second != self.bytes_per_second:
            self.bytes_per_second, self.free_at = bytes_per_second, 0.0

    def take(self, size_bytes: int, now: float) -> None:
        """Let a turn pass."""
        if self.bytes_per_second:
            begin = max(self.free_at, now - SLACK_SECONDS)
            self.free_at = begin + size_bytes / self.bytes_per_second


@attrs.define
class _Copy:
    """One copy that asks for turns."""

    terms: CopyTerms
    #: What it was granted, in bytes divided by its priority, and beginning where the others were.
    served: float
    own: _Bucket = attrs.field(factory=_Bucket)
    #: What it waits for, in bytes; 0: it does not wait.
    asked_bytes: int = 0
    #: Who asked first, among equals.
    order: int = 0


@attrs.define
class Turns:
    """Who waits, who had how much, and what may be granted when; times are seconds of any clock."""

    plan: CopyPlan = attrs.field(factory=CopyPlan)
    _all: _Bucket = attrs.field(factory=_Bucket, init=False)
    _copies: dict[str, _Copy] = attrs.field(factory=dict, init=False)
    #: How far the last one that was granted a turn had been served before.
    _level: float = attrs.field(default=0.0, init=False)
    _asked: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.configure(self.plan)

    def configure(self, plan: CopyPlan) -> None:
        """Go on by another plan."""
        self.plan = plan
        self._all.set(plan.bytes_per_second)
        for partnership, copy in self._copies.items():
            copy.terms = plan.of(partnership)
            copy.own.set(copy.terms.bytes_per_second)

    def limited(self, partnership: str) -> bool:
        """Whether any rate holds for a copy."""
        plan = self.plan
        return bool(plan.bytes_per_second or (plan.terms and plan.of(partnership).bytes_per_second))

    def ask(self, partnership: str, size_bytes: int) -> None:
        """A copy waits for a turn of so many bytes; it does not ask again before it is granted."""
        copy = self._copies.get(partnership)
        if copy is None:
            terms = self.plan.of(partnership)
            own = _Bucket(terms.bytes_per_second)
            copy = self._copies[partnership] = _Copy(terms, self._level, own)
        assert not copy.asked_bytes, partnership
        self._asked += 1
        copy.asked_bytes, copy.order = size_bytes, self._asked

    def leave(self, partnership: str) -> None:
        """A copy has ended, or was given up."""
        self._copies.pop(partnership, None)

    def grant(self, now: float) -> list[str]:
        """The copies that go on now, in the order in which they were chosen."""
        granted: list[str] = []
        while self._all.free_at <= now:
            ready = [
                (self._begin(copy), copy.order, partnership)
                for partnership, copy in self._copies.items()
                if copy.asked_bytes and copy.own.free_at <= now
            ]
            if not ready:
                break
            level, _, partnership = min(ready)
            self._serve(self._copies[partnership], level, now)
            granted.append(partnership)
        return granted

    def next_at(self) -> float | None:
        """When somebody may go on who has to wait until then; None if nobody waits."""
        waiting = [copy.own.free_at for copy in self._copies.values() if copy.asked_bytes]
        return max(self._all.free_at, min(waiting)) if waiting else None

    def _begin(self, copy: _Copy) -> float:
        """Where the next turn of a copy begins: what it did not ask for long ago is forfeited."""
        return max(copy.served, self._level - CREDIT_BYTES / copy.terms.priority)

    def _serve(self, copy: _Copy, level: float, now: float) -> None:
        self._level = max(self._level, level)
        self._all.take(copy.asked_bytes, now)
        copy.own.take(copy.asked_bytes, now)
        copy.served = level + copy.asked_bytes / copy.terms.priority
        copy.asked_bytes = 0
