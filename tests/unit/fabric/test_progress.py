"""Rates and ends of copies: measured, and not foretold where nobody can know."""

from __future__ import annotations

import pytest

from srshell.fabric.progress import RateMeter


def test_nothing_is_foretold_before_five_seconds() -> None:
    """A rate over a moment says nothing."""
    meter = RateMeter()
    meter.see(0, 1000, 0.0)
    meter.see(500, 1000, 4.0)
    assert meter.bytes_per_second == 125
    assert meter.eta_seconds is None
    meter.see(600, 1000, 6.0)
    assert meter.eta_seconds == pytest.approx(4.0)


def test_nothing_is_foretold_below_one_percent() -> None:
    """The first blocks may be holes."""
    meter = RateMeter()
    meter.see(0, 100_000, 0.0)
    meter.see(900, 100_000, 10.0)
    assert meter.eta_seconds is None


def test_a_standstill_has_no_end() -> None:
    """The window forgets how fast it once was."""
    meter = RateMeter()
    meter.see(0, 1000, 0.0)
    for second in range(10, 60):
        meter.see(500, 1000, float(second))
    assert meter.bytes_per_second == 0
    assert meter.eta_seconds is None
