"""Latency histograms and rates over the last few seconds, cheap enough for every write.

Always true:

(1) A meter's memory is bounded: `SLICES` slices, each with at most `_BUCKETS` buckets.
(2) Time comes from the caller, as nanoseconds of one clock that never goes back.
(3) Nothing here decides anything: an engine without meters would do the same.

A bucket covers one eighth of a power of two; a slice covers a second, and the oldest one is dropped
as a new one begins.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from srshell.model.meters import Latency, Legs, Rates

SLICE_NS: Final = 10**9
SLICES: Final = 10
#: Whatever took longer than this (about 18 minutes) is counted as if it took this long.
_LONGEST_NS: Final = (1 << 40) - 1
_BUCKETS: Final = 8 * 38

Counts = dict[int, int]


def bucket_of(elapsed_ns: int) -> int:
    """Return the bucket of a time: eight buckets to every power of two."""
    octave = max(elapsed_ns.bit_length() - 4, 0)
    return (octave << 3) + (elapsed_ns >> octave)


def upper_ns(bucket: int) -> int:
    """Return the largest time that falls into a bucket."""
    octave = max((bucket >> 3) - 1, 0)
    return ((bucket - (octave << 3) + 1) << octave) - 1


class LatencyMeter:
    """The histogram of one leg."""

    __slots__ = ("_counts", "_max_ns", "_past", "_slice")

    def __init__(self) -> None:
        """Nothing was measured yet."""
        self._slice = 0
        self._counts: Counts = {}
        self._max_ns = 0
        #: Slices before the present one: number, counts, largest.
        self._past: deque[tuple[int, Counts, int]] = deque(maxlen=SLICES - 1)

    def record(self, now_ns: int, elapsed_ns: int, count: int = 1) -> None:
        """Note that ``count`` writes took ``elapsed_ns`` and ended ``now_ns``."""
        if now_ns // SLICE_NS != self._slice:
            self._turn(now_ns // SLICE_NS)
        if elapsed_ns > self._max_ns:
            self._max_ns = elapsed_ns = min(elapsed_ns, _LONGEST_NS)
        # `bucket_of`, written out: a call would cost as much again.
        octave = elapsed_ns.bit_length() - 4
        bucket = (octave << 3) + (elapsed_ns >> octave) if octave > 0 else elapsed_ns
        counts = self._counts
        counts[bucket] = counts.get(bucket, 0) + count

    def _turn(self, number: int) -> None:
        if self._counts:
            self._past.append((self._slice, self._counts, self._max_ns))
        self._slice, self._counts, self._max_ns = number, {}, 0

    def latency(self, now_ns: int) -> Latency:
        """Return what was measured in the window that ends ``now_ns``."""
        oldest = now_ns // SLICE_NS - SLICES
        if self._slice <= oldest:
            return _NOTHING  # the newest slice is too old: so are those before it
        slices = [*self._past, (self._slice, self._counts, self._max_ns)]
        recent = [piece for piece in slices if piece[0] > oldest and piece[1]]
        if not recent:
            return Latency()
        counts: Counts = {}
        for _, some, _ in recent:
            for bucket, count in some.items():
                counts[bucket] = counts.get(bucket, 0) + count
        max_ns = max(largest for _, _, largest in recent)
        total = sum(counts.values())
        p50, p99, p999 = (
            min(_quantile_ns(counts, total, share), max_ns) / 1e9 for share in (0.5, 0.99, 0.999)
        )
        return Latency(total, p50, p99, p999, max_ns / 1e9)


_NOTHING: Final = Latency()


def _quantile_ns(counts: Counts, total: int, share: float) -> int:
    wanted, seen = share * total, 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return upper_ns(bucket)
    raise AssertionError((total, share))


class RateMeter:
    """Writes and bytes of the last few seconds."""

    __slots__ = ("_bytes", "_past", "_slice", "_started_ns", "_writes")

    def __init__(self, now_ns: int) -> None:
        """Begin to count."""
        self._started_ns = now_ns
        self._slice = now_ns // SLICE_NS
        self._writes = self._bytes = 0
        self._past: deque[tuple[int, int, int]] = deque(maxlen=SLICES)

    def add(self, now_ns: int, writes: int, size_bytes: int) -> None:
        """Count writes that ended ``now_ns``."""
        if now_ns // SLICE_NS != self._slice:
            self._past.append((self._slice, self._writes, self._bytes))
            self._slice, self._writes, self._bytes = now_ns // SLICE_NS, 0, 0
        self._writes += writes
        self._bytes += size_bytes

    def rates(self, now_ns: int) -> Rates:
        """Return the rates over the whole slices and the present one."""
        present = now_ns // SLICE_NS
        begin_ns = max((present - SLICES + 1) * SLICE_NS, self._started_ns)
        seconds = max(now_ns - begin_ns, SLICE_NS) / 1e9
        slices = [*self._past, (self._slice, self._writes, self._bytes)]
        recent = [piece for piece in slices if piece[0] > present - SLICES]
        writes = sum(piece[1] for piece in recent)
        size_bytes = sum(piece[2] for piece in recent)
        return Rates(round(seconds, 3), writes / seconds, size_bytes / seconds)


@attrs.define(eq=False)
class Meters:
    """All meters of one replica."""

    rate: RateMeter
    write: LatencyMeter = attrs.field(factory=LatencyMeter)
    queue: LatencyMeter = attrs.field(factory=LatencyMeter)
    local_log: LatencyMeter = attrs.field(factory=LatencyMeter)
    remote_log: LatencyMeter = attrs.field(factory=LatencyMeter)
    apply: LatencyMeter = attrs.field(factory=LatencyMeter)
    round_trip: LatencyMeter = attrs.field(factory=LatencyMeter)

    def legs(self, now_ns: int) -> Legs:
        """Return what every leg took lately."""
        return Legs(
            write=self.write.latency(now_ns),
            queue=self.queue.latency(now_ns),
            local_log=self.local_log.latency(now_ns),
            remote_log=self.remote_log.latency(now_ns),
            apply=self.apply.latency(now_ns),
            round_trip=self.round_trip.latency(now_ns),
        )
