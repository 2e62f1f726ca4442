"""The rows on a terminal, one by one as they come, and what the words in them mean.

Always true: a line fits to those before it, whatever is still to come; nothing is coloured.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rows import Row

_NAME_WIDTH = 46
_TIMES_MIN = 100  # from here on no digit behind the point says anything


def head() -> str:
    """Return the line above all rows."""
    names = f"{'srshell':>10}{'beside':>10} {'unit':6}{'ratio':>7}{'wanted':>7}"
    return (
        f"{'work':{_NAME_WIDTH}}{names}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}{'beside':>8}  note"
    )


def line(row: Row) -> str:
    """Return the line of a row."""
    noisy = "too noisy to compare" if row.noisy else ""
    note = "; ".join(part for part in (noisy, row.note) if part)
    wanted = f"{row.wanted:7.2f}" if row.wanted is not None else " " * 7
    rates = f"{_number(row.product):>10}{_number(row.yardstick):>10} {row.unit[:6]:6}"
    times = _or_blank(row.p50_seconds * 1e3, 2) + _or_blank(row.p99_seconds * 1e3, 2)
    cpu = _or_blank(row.cpu_us, 0) + _or_blank(row.yardstick_cpu_us, 0)
    return f"{row.work:{_NAME_WIDTH}}{rates}{row.ratio:7.2f}{wanted}{times}{cpu}  {note}".rstrip()


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= _TIMES_MIN else f"{value:.3g}"


def _or_blank(value: float, digits: int) -> str:
    return f"{value:8.{digits}f}" if value else " " * 8


def legend(rows: Sequence[Row]) -> list[str]:
    """Return what stands below the rows: how many reach what is wanted, and the words."""
    judged = [row for row in rows if row.wanted is not None]
    noisy = sum(row.noisy for row in judged)
    reached = sum(row.ratio >= row.wanted for row in judged if row.wanted and not row.noisy)
    count = f"{reached} of {len(judged) - noisy} rows reach the ratio that is wanted"
    if noisy:
        count += f"; {noisy} had too noisy a reference to tell"
    return [
        "",
        count,
        "beside: what the note names; else the smallest program that logs on two sides",
        "ratio: the median of pairs measured in turn; above 1 srshell is better, whatever the unit",
        "too noisy: what stands beside varied by more than 1.6 within the run",
    ]
