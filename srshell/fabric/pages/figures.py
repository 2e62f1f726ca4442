"""The figures of a group in words: legs of a write, rates, what a log bridges, the forecast.

Always true: a leg without a write in the last seconds is a dash, and what is not known is said so.
"""

from __future__ import annotations

from srshell.fabric.pages.words import UNKNOWN, Report, duration, size

_PRECISE = 10.0
_COARSE = 100.0


def milliseconds(seconds: float) -> str:
    """A short time for eyes, without its unit: three digits are enough."""
    value = seconds * 1000
    if value < _PRECISE:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < _COARSE else f"{value:.0f}"


def leg_text(leg: Report, field: str = "p50_seconds") -> str:
    """One figure of a leg; a dash when nothing was measured."""
    return milliseconds(leg[field]) if leg.get("count") else UNKNOWN


def forecast_text(forecast: Report | None, array: str) -> str:
    """What the loss of a site would cost, in a sentence; empty where nothing is protected."""
    if forecast is None:
        return ""
    begin = f"if {array} were lost now: "
    if forecast["possible"] is False:
        return begin + "nothing could take over: the other side is no whole copy"
    if forecast["possible"] is None or forecast["lost_writes"] is None:
        return begin + "what would be lost is not known"
    writes = forecast["lost_writes"]
    lost = f"lose {writes} writes" + (f" ({size(forecast['lost_bytes'])})" if writes else "")
    back = forecast["back_seconds"]
    if back is None:
        return f"{begin}{lost}; how long it takes is not known: no role change was measured"
    return f"{begin}{lost}, back about {duration(back)} after the command"


def figure_lines(row: Report) -> list[str]:
    """What a primary that is written to measures; nothing while nobody writes."""
    rates, legs = row.get("rates") or {}, row.get("latency") or {}
    if not row["is_primary"] or not rates.get("bytes_per_second"):
        return []
    write = legs["write"]
    first = (
        f"{row['name']}: {size(round(rates['bytes_per_second']))}/s, "
        f"{rates['writes_per_second']:.0f} writes/s; a write takes "
        f"{leg_text(write)} ms, p99 {leg_text(write, 'p99_seconds')} ms "
        f"(own log {leg_text(legs['local_log'])}, link and peer's log "
        f"{leg_text(legs['remote_log'])}, link {leg_text(legs['round_trip'])})"
    )
    lines = [first]
    if row.get("log_covers_seconds") is not None:
        lines.append(f"  its log bridges an outage of {duration(row['log_covers_seconds'])}")
    if text := forecast_text(row.get("forecast"), row["array"]):
        lines.append(f"  {text}")
    return lines
