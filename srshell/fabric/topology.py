"""What the figures of a topology test mean: rules that hold or are broken, and advice.

Always true:

(1) A rule that could not be measured is said not to be; it never holds for lack of a figure.
(2) Advice names the number that it rests on.  What is worked out is not called measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from srshell.fabric.pages.figures import milliseconds
from srshell.fabric.pages.words import duration, size
from srshell.fabric.snapshot import Snapshot
from srshell.model.codes import CODES
from srshell.model.inventory import Volume
from srshell.model.topology import (
    AdviceRow,
    ArrayMeasure,
    ExpectedWrite,
    LinkMeasure,
    Load,
    RuleRow,
)

ROUND_TRIP_SECONDS_MAX: Final = 0.005
_GIGABIT_BYTES: Final = 125_000_000.0
_CLOCK_SECONDS_MAX: Final = 1.0
#: A disk that makes a write durable faster than this has most likely not done so.
_FLUSH_SECONDS_MIN: Final = 0.00001
_OUTAGE_SECONDS: Final = 60.0
_EXAMPLE_BYTES: Final = 64 * 1024**3
_ROUND_BYTES: Final = 1024**2

NOT_TESTED: Final = (
    "a failure of a log's disk while it is written to",
    "a link that others use at the same time, at another hour",
    "anything but the pools and the link of these two arrays",
)


@attrs.frozen
class Facts:
    """Everything that a test has found."""

    snapshot: Snapshot
    arrays: tuple[ArrayMeasure, ArrayMeasure]
    load: Load

    @property
    def names(self) -> tuple[str, str]:
        """The names of both arrays."""
        return self.arrays[0].array, self.arrays[1].array

    @property
    def link(self) -> LinkMeasure:
        """The way that writes go."""
        return self.arrays[0].link

    def couples(self) -> Iterator[tuple[tuple[Volume, Volume], bool]]:
        """Volumes of the two arrays that belong together, and whether they are logs."""
        snapshot = self.snapshot
        for partnership in snapshot.partnerships:
            one, other = (
                snapshot.group(partnership.source),
                snapshot.group(partnership.destination),
            )
            if {one.array, other.array} != set(self.names):
                continue
            for a, b in zip((*one.data, one.log), (*other.data, other.log), strict=False):
                yield (snapshot.volume(a), snapshot.volume(b)), a == one.log


def judge(facts: Facts) -> tuple[RuleRow, ...]:
    """Every requirement, the broken ones as they are."""
    return (
        *_links(facts),
        *_bandwidth(facts),
        *_clocks(facts),
        *_disks(facts),
        *_volumes(facts),
        *_pairing(facts),
    )


def verdict_of(rules: Sequence[RuleRow]) -> str:
    """Ready, ready with a warning, or not ready."""
    found = {rule.verdict for rule in rules}
    if "broken" in found:
        return "not ready"
    return "warned" if found & {"warning", "not measured"} else "ready"


def _row(code: str, verdict: str, measured: str, mend: str = "") -> RuleRow:
    return RuleRow(code, CODES[code].rule, verdict, measured, mend)


def _links(facts: Facts) -> Iterator[RuleRow]:
    """Both ways, and how long a round trip takes."""
    one, other = facts.arrays
    broken = [(a.array, b.array, a.link.problem) for a, b in ((one, other), (other, one))
              if a.link.problem]  # fmt: skip
    if broken:
        text = "; ".join(f"{a} to {b}: {problem}" for a, b, problem in broken)
        yield _row("SR8001", "broken", text, f"srshell restart {broken[0][1]}")
    else:
        yield _row("SR8001", "holds", f"{one.array} and {other.array} reach each other")
    if not facts.link.round_trip.count:
        yield _row("SR8002", "not measured", facts.link.problem)
        return
    p99 = facts.link.round_trip.p99_seconds
    text = f"p50 {milliseconds(facts.link.round_trip.p50_seconds)}, p99 {milliseconds(p99)} ms"
    yield _row("SR8002", "holds" if p99 <= ROUND_TRIP_SECONDS_MAX else "warning", text)


def _bandwidth(facts: Facts) -> Iterator[RuleRow]:
    """What the link carries, against what the original asks for."""
    rate = facts.link.bytes_per_second
    for code, least in (("SR8003", _GIGABIT_BYTES), ("SR8005", 10 * _GIGABIT_BYTES)):
        if not rate:
            yield _row(code, "not measured", facts.link.problem)
        elif code == "SR8005" and rate < _GIGABIT_BYTES:
            continue  # the first of the two has said it
        else:
            # Less than the preferred 10 Gbit/s is no fault.
            short = "warning" if code == "SR8003" else "holds"
            text = f"{8 * rate / 1e9:.2f} Gbit/s ({size(round(rate))}/s)"
            text += "" if rate >= least or code == "SR8003" else ": less, which is accepted"
            yield _row(code, "holds" if rate >= least else short, text)


def _clocks(facts: Facts) -> Iterator[RuleRow]:
    """Clocks order nothing here, but journals are read side by side."""
    ahead = [array.clock_ahead_seconds for array in facts.arrays]
    known = [seconds for seconds in ahead if seconds is not None]
    if len(known) < len(ahead):
        yield _row("SR8010", "not measured", "a site does not answer")
        return
    apart = abs(known[0] - known[1])
    text = f"{milliseconds(apart)} ms apart"
    yield _row("SR8010", "holds" if apart <= _CLOCK_SECONDS_MAX else "warning", text)


def _disks(facts: Facts) -> Iterator[RuleRow]:
    """Free space, flushes, and whether both copies would die together."""
    one, other = (array.disk for array in facts.arrays)
    for array in facts.arrays:
        disk = array.disk
        if disk.problem:
            yield _row("SR2010", "not measured", f"{array.array}/{disk.pool}: {disk.problem}")
            continue
        flush = disk.flush
        honest = flush.p50_seconds >= _FLUSH_SECONDS_MIN
        text = f"{array.array}/{disk.pool}: p50 {milliseconds(flush.p50_seconds)}, "
        text += f"p99 {milliseconds(flush.p99_seconds)} ms, {size(disk.free_bytes)} free"
        yield _row("SR2010", "holds" if honest else "warning", text)
    if one.path and one.path == other.path:
        yield _row("SR1003", "broken", f"both pools are {one.path}")
    elif one.device and one.device == other.device:
        text = f"{one.path} and {other.path} lie on device {one.device}"
        yield _row("SR1008", "warning", text)
    elif one.device and other.device:
        yield _row("SR1008", "holds", f"devices {one.device} and {other.device}")
    else:
        yield _row("SR1008", "not measured", "the device of a pool is not known")


#: Code, for logs or data or both (None), and what has to be equal.
_EQUALS: Final = (
    ("SR2001", False, "size_bytes"),
    ("SR2002", None, "block_bytes"),
    ("SR2003", True, "size_bytes"),
)


def _volumes(facts: Facts) -> Iterator[RuleRow]:
    """Volumes that belong together are equal."""
    couples = list(facts.couples())
    for code, wanted, field in _EQUALS:
        chosen = [pair for pair, is_log in couples if wanted in {None, is_log}]
        unequal = [(a, b) for a, b in chosen if getattr(a, field) != getattr(b, field)]
        for a, b in unequal:
            text = f"{a.name} {size(getattr(a, field))}, {b.name} {size(getattr(b, field))}"
            yield _row(code, "broken", text, "srshell volumes")
        if chosen and not unequal:
            yield _row(code, "holds", f"{len(chosen)} of {len(chosen)} volumes")


def _pairing(facts: Facts) -> Iterator[RuleRow]:
    """Whether the two arrays are a pair."""
    one, other = facts.names
    if any({pair.array, pair.peer} == {one, other} for pair in facts.snapshot.pairs):
        yield _row("SR1010", "holds", f"{one} and {other} are paired")
    else:
        yield _row("SR1010", "warning", "not paired yet", f"srshell pair {one} {other}")


# --- what follows from it -------------------------------------------------------------------------


def expected_write(facts: Facts) -> ExpectedWrite | None:
    """What a small write will take: both logs at once, the far one behind a round trip."""
    near, far = (array.disk.flush for array in facts.arrays)
    trip = facts.link.round_trip
    if not (near.count and far.count and trip.count):
        return None
    return ExpectedWrite(
        near.p50_seconds,
        near.p99_seconds,
        max(near.p50_seconds, trip.p50_seconds + far.p50_seconds),
        max(near.p99_seconds, trip.p99_seconds + far.p99_seconds),
    )


def advise(facts: Facts) -> tuple[AdviceRow, ...]:
    """How large the logs should be, and how long copies will take."""
    return (*_log_sizes(facts), *_copies(facts), *_limits(facts))


def _log_sizes(facts: Facts) -> Iterator[AdviceRow]:
    """A log bridges an outage by holding what is written meanwhile."""
    load = facts.load
    seen = load.kind == "observed"
    what = "written during the test" if seen else "that this disk takes at most; none was seen"
    for name, rate in (("mean", load.mean_bytes_per_second), ("peak", load.peak_bytes_per_second)):
        if not rate or (name == "mean" and not seen):
            continue
        need = _rounded(rate * _OUTAGE_SECONDS)
        text = f"for {duration(_OUTAGE_SECONDS)} without the link at the {name} "
        text += f"({size(round(rate))}/s {what}): {size(need)}"
        yield AdviceRow(f"log size, {name}", text, _OUTAGE_SECONDS, need)
    logs = [min(a.size_bytes, b.size_bytes) for (a, b), is_log in facts.couples() if is_log]
    if logs and load.peak_bytes_per_second:
        covered = min(logs) / load.peak_bytes_per_second
        text = f"the smallest log has {size(min(logs))}: {duration(covered)} at the peak"
        yield AdviceRow("log size, now", text, covered, min(logs))


def _copies(facts: Facts) -> Iterator[AdviceRow]:
    """The slower of link and far disk sets the pace of a copy."""
    rates = [facts.link.bytes_per_second, *(array.disk.bytes_per_second for array in facts.arrays)]
    if not all(rates):
        return
    pace = min(rates)
    data = sum(a.size_bytes for (a, _), is_log in facts.couples() if not is_log)
    total = data or _EXAMPLE_BYTES
    text = f"a first copy of {size(total)} at {size(round(pace))}/s: {duration(total / pace)}"
    yield AdviceRow("initial copy", text, total / pace, total)
    mean = facts.load.mean_bytes_per_second if facts.load.kind == "observed" else 0.0
    missed = round(mean * _OUTAGE_SECONDS)
    if not missed:
        return
    if pace <= mean:
        text = "what is written is as fast as the copy: it would not end"
        yield AdviceRow("resync", text, None, missed)
        return
    seconds = missed / (pace - mean)
    text = f"after {duration(_OUTAGE_SECONDS)} without the link, {size(missed)} missed: "
    yield AdviceRow("resync", text + duration(seconds), seconds, missed)


def _limits(facts: Facts) -> Iterator[AdviceRow]:
    """What will make writers wait."""
    peak, link = facts.load.peak_bytes_per_second, facts.link.bytes_per_second
    if facts.load.kind == "observed" and link and peak > link:
        text = f"the peak of {size(round(peak))}/s is above the {size(round(link))}/s of the link: "
        yield AdviceRow("limit", text + "writers slow down at peaks", None, round(link))
    expected = expected_write(facts)
    if expected is not None and expected.replicated_p50_seconds > 0:
        rate = 1 / expected.replicated_p50_seconds
        text = f"one writer that waits for each write: about {rate:.0f} writes a second"
        yield AdviceRow("one writer", text, expected.replicated_p50_seconds)


def _rounded(value: float) -> int:
    """Bytes, up to the next MiB."""
    return -(-round(value) // _ROUND_BYTES) * _ROUND_BYTES
