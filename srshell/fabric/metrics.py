"""The figures of a fabric in the text form that Prometheus reads.

Always true:

(1) What is not known is left out; it is never given as zero.
(2) Every name ends in its unit; sides are told apart by the labels ``group`` and ``array``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from srshell.model.meters import Latency, Legs
from srshell.model.report import GroupStatus, StatusReport
from srshell.model.states import ReplicationHealth

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LABELS: Final = ("group", "array")
_HEALTH: Final = {
    ReplicationHealth.NORMAL: 0,
    ReplicationHealth.WARNING: 1,
    ReplicationHealth.CRITICAL: 2,
}
_QUANTILES: Final = (("0.5", "p50_seconds"), ("0.99", "p99_seconds"), ("0.999", "p999_seconds"),
                     ("1", "max_seconds"))  # fmt: skip


@attrs.frozen
class _Gauge:
    """One number of a side: its name, what it is, and where it comes from."""

    name: str
    text: str
    counts: bool = False  # only grows, while the process of the site lives


_NUMBERS: Final = (
    _Gauge("primary", "1 for the side that takes writes"),
    _Gauge("failover_ready", "1 if a failover now would lose nothing"),
    _Gauge("health", "0 Normal, 1 Warning, 2 Critical"),
    _Gauge("rpo_seconds", "How much acknowledged work a loss of the source would take"),
    _Gauge("behind_bytes", "Acknowledged, and not yet in the log of the destination"),
    _Gauge("log_bytes", "Size of the log"),
    _Gauge("log_free_bytes", "Free part of the log"),
    _Gauge("log_covers_seconds", "How long the free part takes what is written now"),
    _Gauge("write_rate_bytes_per_second", "Acknowledged over the last seconds"),
    _Gauge("write_rate_per_second", "Writes acknowledged over the last seconds"),
    _Gauge("forecast_lost_writes", "Writes that a loss of the source would take"),
    _Gauge("forecast_back_seconds", "Time without writes of the last role change"),
    _Gauge("copy_done_bytes", "Done of the copy that runs"),
    _Gauge("copy_size_bytes", "Size of the copy that runs"),
    _Gauge("status_age_seconds", "Since the site said what this row repeats"),
    _Gauge("writes", "Writes acknowledged since the site opened the group", counts=True),
    _Gauge("written_bytes", "Bytes acknowledged since the site opened the group", counts=True),
    _Gauge("copied_bytes", "Bytes sent by copies since the site opened the group", counts=True),
)


def _numbers(row: GroupStatus, now: float) -> dict[str, float | None]:
    """Every number of a side; None for what is not known."""
    forecast, copy = row.forecast, row.progress
    source = row.is_primary
    health = _HEALTH.get(row.replication_health)
    return {
        "primary": float(source),
        "failover_ready": float(row.failover_ready),
        "health": None if health is None else float(health),
        "rpo_seconds": row.rpo_seconds,
        "behind_bytes": row.bytes_behind,
        "log_bytes": row.log_bytes or None,
        "log_free_bytes": row.log_bytes_free if row.log_bytes else None,
        "log_covers_seconds": row.log_covers_seconds,
        "write_rate_bytes_per_second": row.rates.bytes_per_second if source else None,
        "write_rate_per_second": row.rates.writes_per_second if source else None,
        "forecast_lost_writes": forecast.lost_writes if forecast and source else None,
        "forecast_back_seconds": forecast.back_seconds if forecast and source else None,
        "copy_done_bytes": copy.done_bytes if copy else None,
        "copy_size_bytes": copy.total_bytes if copy else None,
        "status_age_seconds": max(now - row.as_of, 0.0),
        "writes": row.writes_total,
        "written_bytes": row.written_bytes_total,
        "copied_bytes": row.copied_bytes_total,
    }


@attrs.frozen(eq=False)
class _Fabric(Collector):
    """Everything of one moment."""

    status: StatusReport
    jobs: Mapping[str, int]

    def collect(self) -> Iterator[Metric]:
        """The families."""
        sides = [(row, _numbers(row, self.status.as_of)) for row in self.status]
        for number in _NUMBERS:
            kind = CounterMetricFamily if number.counts else GaugeMetricFamily
            family = kind(f"srshell_{number.name}", number.text, labels=_LABELS)
            for row, values in sides:
                value = values[number.name]
                if value is not None:
                    family.add_metric((row.name, row.array), value)
            yield family
        yield self._latency()
        jobs = GaugeMetricFamily("srshell_jobs", "Jobs that are kept", labels=("state",))
        for state, count in self.jobs.items():
            jobs.add_metric((state,), count)
        yield jobs

    def _latency(self) -> Metric:
        """Legs of a write, as quantiles over the last seconds."""
        family = GaugeMetricFamily(
            "srshell_write_latency_seconds", "Legs of a write over the last seconds",
            labels=(*_LABELS, "leg", "quantile"),
        )  # fmt: skip
        for row in self.status:
            for field in attrs.fields(Legs):
                leg: Latency = getattr(row.latency, field.name)
                for quantile, name in _QUANTILES if leg.count else ():
                    labels = (row.name, row.array, field.name, quantile)
                    family.add_metric(labels, getattr(leg, name))
        return family


def exposition(status: StatusReport, jobs: Mapping[str, int]) -> bytes:
    """The text for one scrape.

    Args:
        status: all groups.
        jobs: state of a job to how many there are.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fabric(status, jobs))
    return bytes(generate_latest(registry))
