"""A row of the suite: the same work by srshell and by something else, in turn, in one run.

Always true:

(1) A ratio is the median over pairs that were measured one after the other, so a machine that gets
    slower does not change it; above 1 srshell is better, whatever the unit.
(2) What varied by more than 1.6 in one run is called too noisy to compare with.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs

from benchmarks.yardstick import Rate

_NOISE_MAX = 1.6
_MIB = 1 << 20


@attrs.frozen
class Row:
    """One line of the table; CPU in microseconds a write (or a block of a copy)."""

    work: str
    product: float
    yardstick: float
    ratio: float
    spread: float  # largest over smallest of what stands beside
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0
    cpu_us: float = 0.0
    yardstick_cpu_us: float = 0.0
    note: str = ""
    unit: str = "/s"
    yardstick_p50_seconds: float = 0.0
    yardstick_p99_seconds: float = 0.0
    #: The least ratio that is wanted, where one is.
    wanted: float | None = None
    #: The curve that the row is a point of, and where on its axis.
    curve: str = ""
    at: float = 0.0

    @property
    def noisy(self) -> bool:
        """Tell whether what stands beside varied too much to compare with."""
        return self.spread > _NOISE_MAX


def row_of(name: str, ours: Sequence[Rate], theirs: Sequence[Rate], note: str = "") -> Row:
    """Return the line of two series of measurements that were made in turn."""
    rates = [rate.per_second for rate in theirs]
    return Row(
        work=name,
        product=statistics.median(rate.per_second for rate in ours),
        yardstick=statistics.median(rates),
        ratio=statistics.median(
            a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True)
        ),
        spread=max(rates) / min(rates),
        p50_seconds=statistics.median(rate.p50_seconds for rate in ours),
        p99_seconds=statistics.median(rate.p99_seconds for rate in ours),
        cpu_us=statistics.median(rate.cpu_us_per_write for rate in ours),
        yardstick_cpu_us=statistics.median(rate.cpu_us_per_write for rate in theirs),
        note=note,
        yardstick_p50_seconds=statistics.median(rate.p50_seconds for rate in theirs),
        yardstick_p99_seconds=statistics.median(rate.p99_seconds for rate in theirs),
    )


def copied_row(
    name: str, size_bytes: int, ours: Sequence[float], theirs: Sequence[float], note: str = ""
) -> Row:
    """Return the line of copies of so many bytes: their seconds, ours and the others', in turn."""
    return Row(
        work=name,
        product=size_bytes / statistics.median(ours) / _MIB,
        yardstick=size_bytes / statistics.median(theirs) / _MIB,
        ratio=statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
        spread=max(theirs) / min(theirs),
        note=f"{_times(ours, theirs)}; {note}" if note else _times(ours, theirs),
        unit="MiB/s",
    )


def _times(ours: Sequence[float], theirs: Sequence[float]) -> str:
    own, other = statistics.median(ours), statistics.median(theirs)
    factor = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{own:.2f} s, {factor:.2f} times as long as {other:.2f} s"


def least_row(name: str, found: Sequence[float], most: float, unit: str, note: str = "") -> Row:
    """Return the line of something that is to be little, beside the most that is wanted of it."""
    value = statistics.median(found)
    return Row(
        work=name,
        product=value,
        yardstick=most,
        ratio=most / value if value > 0 else float(most > 0),
        spread=1.0,
        note="; ".join(part for part in ("beside the most that is wanted", note) if part),
        unit=unit,
        wanted=1.0,
    )


def beside_itself(name: str, ours: Sequence[Rate], plain: Sequence[Rate], note: str) -> Row:
    """Return the line of srshell's writes beside its own under easier conditions."""
    return row_of(name, ours, plain, f"beside its own {note}")
