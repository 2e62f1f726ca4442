"""Meters say how long the last seconds' writes took, and forget what is older."""

from __future__ import annotations

import pytest

from srshell.engine.meters import (
    SLICE_NS,
    SLICES,
    LatencyMeter,
    RateMeter,
    bucket_of,
    upper_ns,
)
from srshell.model.meters import Latency
from tests.unit.engine.sides import BLOCK, Sides, on_sides

MS = 1_000_000
#: Any moment will do.
NOW = 1000 * SLICE_NS


@pytest.mark.parametrize("elapsed_ns", [0, 1, 7, 8, 15, 16, 17, 100, 12_345, 10**9, (1 << 40) - 1])
def test_a_bucket_is_at_most_one_eighth_wide(elapsed_ns: int) -> None:
    bucket = bucket_of(elapsed_ns)
    assert elapsed_ns <= upper_ns(bucket) <= elapsed_ns * 9 / 8 + 1
    assert bucket == 0 or upper_ns(bucket - 1) < elapsed_ns


def test_percentiles_are_those_of_what_was_recorded() -> None:
    meter = LatencyMeter()
    for number in range(1, 1001):
        meter.record(NOW, number * MS)
    latency = meter.latency(NOW)
    assert latency.count == 1000
    assert latency.max_seconds == 1.0
    for found, true in (
        (latency.p50_seconds, 0.5),
        (latency.p99_seconds, 0.99),
        (latency.p999_seconds, 0.999),
    ):
        assert true <= found <= true * 9 / 8


def test_one_record_may_stand_for_many_writes() -> None:
    meter = LatencyMeter()
    meter.record(NOW, 10 * MS, 99)
    meter.record(NOW, 90 * MS, 1)
    latency = meter.latency(NOW)
    assert latency.count == 100
    assert latency.p99_seconds < 0.012
    assert latency.p999_seconds == latency.max_seconds == 0.09


def test_a_time_beyond_the_last_bucket_is_counted_in_it() -> None:
    meter = LatencyMeter()
    meter.record(NOW, 1 << 50)
    meter.record(NOW, 1 << 50)
    assert meter.latency(NOW).count == 2
    assert meter.latency(NOW).max_seconds == ((1 << 40) - 1) / 1e9


def test_what_is_older_than_the_window_is_forgotten() -> None:
    meter = LatencyMeter()
    meter.record(NOW, 5 * MS)
    for second in range(1, 4 * SLICES):
        meter.record(NOW + second * SLICE_NS, MS)
    assert meter.latency(NOW + (4 * SLICES - 1) * SLICE_NS).max_seconds == 0.001
    assert meter.latency(NOW + (4 * SLICES - 1) * SLICE_NS).count == SLICES
    assert meter.latency(NOW + 6 * SLICES * SLICE_NS) == Latency()


def test_rates_are_those_of_the_window() -> None:
    meter = RateMeter(NOW)
    for second in range(3 * SLICES):
        meter.add(NOW + second * SLICE_NS, 10, 40960)
    end_ns = NOW + 3 * SLICES * SLICE_NS - 1
    rates = meter.rates(end_ns)
    assert rates.writes_per_second == pytest.approx(10)
    assert rates.bytes_per_second == pytest.approx(40960)
    assert rates.window_seconds == SLICES
    assert meter.rates(end_ns + SLICES * SLICE_NS).writes_per_second == 0


def test_a_rate_is_not_made_from_a_moment() -> None:
    meter = RateMeter(NOW)
    meter.add(NOW + 1, 1, 4096)
    assert meter.rates(NOW + 2).writes_per_second == 1


def test_both_sides_report_the_legs_of_a_write() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(3):
            await pair.a.write(number * BLOCK, b"x" * BLOCK)
        await pair.until(lambda: pair.b.report.applied_lsn == pair.a.report.applied_lsn == 3)
        a, b = pair.a.report.latency, pair.b.report.latency
        for leg in (a.write, a.queue, a.local_log, a.remote_log, a.apply, b.local_log, b.apply):
            assert leg.count == 3
        assert a.write.max_seconds >= max(a.local_log.max_seconds, a.remote_log.max_seconds) > 0
        assert b.write.count == b.queue.count == b.remote_log.count == 0
        assert a.round_trip.count >= 1
        assert pair.a.report.rates.writes_per_second > 0
        assert pair.b.report.rates.bytes_per_second > 0

    on_sides(test)
