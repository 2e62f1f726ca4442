"""How much a side writes, from what it has counted: rates, their course, and what a log covers.

Always true:

(1) A rate is the difference of two counts over the time between them; with one count there is none.
(2) A counter that fell was begun anew: what was counted before is dropped, never subtracted.
"""

from __future__ import annotations

from typing import Final

import attrs

from srshell.model.report import GroupStatus

#: How many counts are held: two minutes at one a second.
SAMPLES_MAX: Final = 120
#: A rate "now" looks this far back, in seconds.
NOW_SECONDS: Final = 5.0


@attrs.frozen
class Sample:
    """What a side had counted at one moment."""

    unix: float
    writes: int
    written_bytes: int
    copied_bytes: int


@attrs.frozen
class Flow:
    """The newest counts of one side, oldest first."""

    samples: tuple[Sample, ...] = ()

    def _recent(self) -> tuple[Sample, Sample] | None:
        """The newest count, and the oldest one that still says something of now."""
        if len(self.samples) < 2:  # noqa: PLR2004 - two counts make a rate
            return None
        last = self.samples[-1]
        first = next(s for s in self.samples if last.unix - s.unix <= NOW_SECONDS)
        return (self.samples[-2], last) if first is last else (first, last)

    @property
    def bytes_per_second(self) -> float | None:
        """What is written now; None when that is not known."""
        recent = self._recent()
        return None if recent is None else _rate(*recent, "written_bytes")

    @property
    def writes_per_second(self) -> float | None:
        """How many writes are acknowledged now; None when that is not known."""
        recent = self._recent()
        return None if recent is None else _rate(*recent, "writes")

    @property
    def copied_per_second(self) -> float | None:
        """What copies send now, in bytes; None when that is not known."""
        recent = self._recent()
        return None if recent is None else _rate(*recent, "copied_bytes")

    def course(self, counter: str) -> tuple[float, ...]:
        """The rate of a counter from each count to the next."""
        pairs = zip(self.samples, self.samples[1:], strict=False)
        return tuple(_rate(first, last, counter) for first, last in pairs)

    def covered_seconds(self, log_bytes_free: int) -> float | None:
        """How long the free part of a log lasts at the present rate; None: unknown or for ever."""
        rate = self.bytes_per_second
        return log_bytes_free / rate if rate else None


def _rate(first: Sample, last: Sample, counter: str) -> float:
    seconds = last.unix - first.unix
    difference: int = getattr(last, counter) - getattr(first, counter)
    return difference / seconds if seconds > 0 else 0.0


def see(flow: Flow, row: GroupStatus, unix: float) -> Flow:
    """The flow with one more count."""
    sample = Sample(unix, row.writes_total, row.written_bytes_total, row.copied_bytes_total)
    last = flow.samples[-1] if flow.samples else None
    if last is not None and sample.unix <= last.unix:
        return flow
    began_anew = last is not None and (
        sample.writes < last.writes or sample.copied_bytes < last.copied_bytes
    )
    held = () if began_anew else flow.samples
    return Flow((*held, sample)[-SAMPLES_MAX:])
