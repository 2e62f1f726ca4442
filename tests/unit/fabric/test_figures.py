"""The figures of a group: in words, calm when nothing happens, and for Prometheus."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from srshell.fabric.feed import _settled
from srshell.fabric.metrics import CONTENT_TYPE, exposition
from srshell.fabric.pages import page_of
from srshell.fabric.pages.figures import forecast_text, milliseconds
from srshell.model.forecast import Forecast
from srshell.model.inventory import JobState
from srshell.model.meters import Latency, Legs, Rates
from srshell.model.report import GroupStatus, StatusReport, encode
from tests.magics.samples import status_row
from tests.unit.fabric.test_feed import picture

BUSY = Legs(
    write=Latency(100, 0.00142, 0.00308, 0.0064, 0.0112),
    local_log=Latency(100, 0.00038, 0.0009, 0.0022, 0.0041),
    remote_log=Latency(100, 0.00117, 0.00248, 0.0050, 0.0113),
    round_trip=Latency(10, 0.00081, 0.0016, 0.0016, 0.0016),
)


def row(**changes: Any) -> GroupStatus:  # noqa: ANN401 - any fact can be changed
    """A primary that is written to."""
    made = attrs.evolve(
        status_row("PriRG", as_of=5.0), latency=BUSY, rates=Rates(10.0, 2844.0, 190840832.0),
        log_covers_seconds=41.0, forecast=Forecast(True, 0, 0, 2.6), is_primary=True,
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def lines_of(*rows: GroupStatus) -> tuple[str, ...]:
    """What `srshell status` writes below its table."""
    return page_of(json.loads(encode(StatusReport(rows)))).lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00038, "0.38"), (0.0112, "11.2"), (0.25, "250"), (0.0, "0.00")]
)
def test_a_short_time_has_three_digits(seconds: float, text: str) -> None:
    """More would be noise."""
    assert milliseconds(seconds) == text


def test_status_tells_the_figures_of_a_group_that_is_written_to() -> None:
    """Latency by leg, what the log bridges, and what a loss would cost."""
    text = "\n".join(lines_of(row()))
    assert "182 MiB/s, 2844 writes/s; a write takes 1.42 ms, p99 3.08 ms" in text
    assert "(own log 0.38, link and peer's log 1.17, link 0.81)" in text
    assert "its log bridges an outage of 41 s" in text
    assert "lose 0 writes, back about 2.6 s after the command" in text
    calm = row(rates=Rates(10.0, 0.0, 0.0))
    assert not any("writes/s" in line for line in lines_of(calm))


@pytest.mark.parametrize(
    ("forecast", "text"),
    [
        (None, ""),
        (Forecast(possible=False), "nothing could take over"),
        (Forecast(), "is not known"),
        (Forecast(True, 12, 49152, 2.6), "lose 12 writes (48 KiB), back about 2.6 s"),
        (Forecast(True, 0, 0, None), "lose 0 writes; how long it takes is not known"),
    ],
)
def test_a_forecast_says_what_it_does_not_know(forecast: Forecast | None, text: str) -> None:
    """In a sentence."""
    known = attrs.asdict(forecast) if forecast else None
    assert text in forecast_text(known, "ClusterA")


def test_a_calm_row_stays_equal_while_the_link_is_as_fast_as_before() -> None:
    """Otherwise every picture of a fabric at rest would differ from the one before."""
    calm = Legs(round_trip=Latency(10, 0.0008, 0.0016, 0.0016, 0.0016))
    jitter = Legs(round_trip=Latency(9, 0.0009, 0.0021, 0.0021, 0.0021))
    slow = Legs(round_trip=Latency(9, 0.0209, 0.0221, 0.0221, 0.0221))
    before = row(latency=calm, rates=Rates(10.0))
    known = picture(before)
    assert _settled(attrs.evolve(before, latency=jitter, rates=Rates(9.9)), known) == before
    changed = attrs.evolve(before, latency=slow)
    assert _settled(changed, known) == changed
    busy = row()
    assert _settled(busy, known) == busy
    assert _settled(before, None) == before


def test_prometheus_gets_every_figure_with_its_unit_and_nothing_that_is_not_known() -> None:
    """Names end in their unit; an unknown value is left out, never zero."""
    silent = row(name="OldRG", rpo_seconds=None, forecast=Forecast(), latency=Legs(), as_of=1.0)
    text = exposition(
        StatusReport((row(), silent), as_of=5.0), {JobState.RUNNING.value: 2}
    ).decode()
    assert 'srshell_rpo_seconds{array="ClusterA",group="PriRG"} 0.0' in text
    assert 'srshell_failover_ready{array="ClusterA",group="PriRG"} 1.0' in text
    assert 'srshell_write_latency_seconds{array="ClusterA",group="PriRG",leg="local_log"' in text
    assert 'quantile="0.99"} 0.0009' in text
    assert 'srshell_written_bytes_total{array="ClusterA",group="PriRG"}' in text
    assert 'srshell_log_covers_seconds{array="ClusterA",group="PriRG"} 41.0' in text
    assert 'srshell_forecast_lost_writes{array="ClusterA",group="PriRG"} 0.0' in text
    assert 'srshell_rpo_seconds{array="ClusterA",group="OldRG"}' not in text
    assert 'srshell_status_age_seconds{array="ClusterA",group="OldRG"} 4.0' in text
    assert 'srshell_jobs{state="running"} 2.0' in text
    assert CONTENT_TYPE.startswith("text/plain")
