"""The page of a topology test: the verdict first, rules with what was measured, then advice.

Always true: a page is made from the JSON of its report alone.
"""

from __future__ import annotations

from srshell.fabric.pages.figures import leg_text
from srshell.fabric.pages.words import UNKNOWN, Page, Report, duration, size

#: Verdict of a rule to its mark.
RULE_MARKS = {"holds": "✔", "warning": "▲", "broken": "✖", "not measured": "○"}
_COUNTED = (("holds", "hold"), ("warning", "warned"), ("broken", "broken"),
            ("not measured", "not measured"))  # fmt: skip
_VERDICTS = {
    "ready": "✔ READY: every rule holds",
    "warned": "▲ READY, with warnings",
    "not ready": "✖ NOT READY",
}


def headline(report: Report) -> str:
    """The verdict, and how many rules stand how."""
    counts = [
        f"{count} {word}"
        for verdict, word in _COUNTED
        if (count := sum(row["verdict"] == verdict for row in report["rules"]))
    ]
    way = f"{report['source']} → {report['destination']}"
    return f"{_VERDICTS[report['verdict']]}   {way}   {', '.join(counts)}"


def measured_lines(report: Report) -> list[str]:
    """Link, disks and load in lines."""
    there, back = (array["link"] for array in report["arrays"])
    trip = there["round_trip"]
    way = (
        f"link         round trip p50 {leg_text(trip)}  p95 {leg_text(trip, 'p95_seconds')}  "
        f"p99 {leg_text(trip, 'p99_seconds')} ms;  {rate(there['bytes_per_second'])} there, "
        f"{rate(back['bytes_per_second'])} back"
    )
    lines = [way]
    for array in report["arrays"]:
        disk = array["disk"]
        p50, p99, longest = (
            leg_text(disk["flush"], f"{name}_seconds") for name in ("p50", "p99", "max")
        )
        lines.append(
            f"{array['array']:<12} flush p50 {p50}  p99 {p99}  max {longest} ms;  "
            f"log writes {rate(disk['bytes_per_second'])}"
        )
    if expected := report["expected"]:
        alone = leg_text({"count": 1, **expected}, "alone_p50_seconds")
        both = leg_text({"count": 1, **expected}, "replicated_p50_seconds")
        worst = leg_text({"count": 1, **expected}, "replicated_p99_seconds")
        lines.append(
            f"a 4 KiB write takes about {alone} ms alone, {both} ms replicated (p99 {worst}), "
            "worked out"
        )
    load = report["load"]
    seen = {"observed": "seen", "synthetic": "none was seen; the disk alone takes"}
    lines.append(
        f"write load   {seen.get(load['kind'], load['kind'])} "
        f"{rate(load['mean_bytes_per_second'])}, {load['writes_per_second']:.0f} writes/s"
    )
    return lines


def rate(bytes_per_second: float) -> str:
    """A rate for eyes."""
    return f"{size(round(bytes_per_second))}/s" if bytes_per_second else UNKNOWN


def rule_rows(report: Report) -> tuple[tuple[str, ...], ...]:
    """Mark, code, rule and what was measured."""
    return tuple(
        (RULE_MARKS[row["verdict"]], row["code"], row["rule"], row["measured"])
        for row in report["rules"]
    )


def _topology(report: Report) -> Page:
    lines = [f"  mend {row['code']}   {row['mend']}" for row in report["rules"]
             if row["mend"] and row["verdict"] != "holds"]  # fmt: skip
    lines += ["", *measured_lines(report), "", "advice"]
    lines += [f"  {row['topic']:<15} {row['text']}" for row in report["advice"]]
    lines += [f"not tested: {text}" for text in report["not_tested"]]
    lines.append(
        f"took {duration(report['seconds'])}; only scratch files were written, and they are gone"
    )
    return Page(headline(report), ("", "CODE", "RULE", "MEASURED"), rule_rows(report), tuple(lines))


TOPOLOGY_PAGES = {"srshell.topology/1": _topology}
