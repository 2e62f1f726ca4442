"""What was measured between two arrays: round trips, bandwidth, flushes, the load that was seen.

Always true: every figure is of the test itself, on the link and the pools that replication uses;
what could not be measured says why, and has no figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

#: A bucket of a histogram reaches up to this factor times the one before.
_STEP = 2**0.25
_SMALLEST_SECONDS = 1e-6


@attrs.frozen
class Spread:
    """How long something took, many times; times in seconds."""

    count: int = 0
    mean_seconds: float = 0.0
    p50_seconds: float = 0.0
    p95_seconds: float = 0.0
    p99_seconds: float = 0.0
    p999_seconds: float = 0.0
    max_seconds: float = 0.0
    #: Upper ends of buckets, and how often it took at most so long and longer than the one before.
    histogram: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """The spread of samples, in seconds."""
        if not samples:
            return cls()
        ordered = sorted(samples)
        return cls(
            count=len(ordered),
            mean_seconds=sum(ordered) / len(ordered),
            p50_seconds=_quantile(ordered, 0.5),
            p95_seconds=_quantile(ordered, 0.95),
            p99_seconds=_quantile(ordered, 0.99),
            p999_seconds=_quantile(ordered, 0.999),
            max_seconds=ordered[-1],
            histogram=_histogram(ordered),
        )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The sample that ``share`` of all do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _histogram(ordered: Sequence[float]) -> tuple[tuple[float, int], ...]:
    """Buckets from the smallest sample to the largest, empty ones between them too."""
    numbers = [_bucket(sample) for sample in ordered]
    return tuple(
        (_SMALLEST_SECONDS * _STEP**number, numbers.count(number))
        for number in range(numbers[0], numbers[-1] + 1)
    )


def _bucket(seconds: float) -> int:
    """The bucket that a time falls into."""
    return math.ceil(math.log(max(seconds, _SMALLEST_SECONDS) / _SMALLEST_SECONDS, _STEP))


@attrs.frozen
class LinkMeasure:
    """A link from one site to the other, as long as the test had it."""

    round_trip: Spread = attrs.field(factory=Spread)
    bytes_per_second: float = 0.0
    course: tuple[float, ...] = ()  # bytes a second, slice by slice
    problem: str = ""  # why there was no link


@attrs.frozen
class DiskMeasure:
    """A pool, by a scratch file that has no name and ends with the test."""

    pool: str = ""
    path: str = ""
    device: str = ""  # major:minor
    free_bytes: int = 0
    scratch_bytes: int = 0
    flush: Spread = attrs.field(factory=Spread)  # 4 KiB written and made durable, one by one
    small_writes_per_second: float = 0.0  # 8 KiB, four at a time, made durable together
    bytes_per_second: float = 0.0  # 1 MiB written and made durable, one by one
    problem: str = ""  # why nothing was measured


@attrs.frozen
class ArrayMeasure:
    """One array in the test."""

    array: str
    site: str
    disk: DiskMeasure
    link: LinkMeasure  # from this array to the other one
    clock_ahead_seconds: float | None = None  # of the owner's clock; None: it did not answer


@attrs.frozen
class Load:
    """What was written during the test."""

    kind: str  # observed: by the groups between the arrays; synthetic: by the test alone
    mean_bytes_per_second: float
    peak_bytes_per_second: float
    writes_per_second: float
    course: tuple[float, ...] = ()  # bytes a second, look by look


@attrs.frozen
class RuleRow:
    """One requirement, and what was found."""

    code: str
    rule: str
    verdict: str  # holds, warning, broken, not measured
    measured: str
    mend: str = ""


@attrs.frozen
class AdviceRow:
    """One piece of advice, with the number that it rests on."""

    topic: str
    text: str
    seconds: float | None = None
    bytes: int | None = None


@attrs.frozen
class ExpectedWrite:
    """What a small write will take: worked out from the legs, not measured."""

    alone_p50_seconds: float
    alone_p99_seconds: float
    replicated_p50_seconds: float
    replicated_p99_seconds: float


@attrs.frozen
class TopologyReport:
    """Whether two arrays are fit to replicate, as rules with measured values, and advice."""

    source: str
    destination: str
    verdict: str  # ready, warned, not ready
    rules: tuple[RuleRow, ...]
    arrays: tuple[ArrayMeasure, ...]
    load: Load
    advice: tuple[AdviceRow, ...]
    expected: ExpectedWrite | None
    not_tested: tuple[str, ...]
    began_unix: float
    seconds: float
    fabric: str = ""
    schema: str = "srshell.topology/1"

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return self.verdict != "not ready"
