"""Pages of arrays, pools, pairs and volumes.

Always true: a page is made from the JSON of its report alone.
"""

from __future__ import annotations

from collections.abc import Callable

from srshell.fabric.pages.words import UNKNOWN, Page, Report, already, clock, size, warnings


def _candidates(report: Report) -> Page:
    rows = tuple(
        (
            row["where"],
            row["kind"] or UNKNOWN,
            size(row["size_bytes"]),
            size(row["free_bytes"]),
            str(row["block_bytes"]),
            "ok" if row["honours_flush"] else "no",
            row["device"] or UNKNOWN,
            "; ".join(row["problems"]) or (f"is {row['array']}" if row.get("array") else "fits"),
        )
        for row in report["candidates"]
    )
    columns = ("WHERE", "KIND", "SIZE", "FREE", "BLOCK", "FLUSH", "DEVICE", "FIT")
    best = report.get("best_pair")
    lines = (f"a good pair: {best[0]} and {best[1]}",) if best else ()
    return Page("", columns, rows, lines)


def _pool_row(pool: Report, array: str) -> tuple[str, ...]:
    return (
        f"{array}/{pool['name']}",
        pool.get("kind", ""),
        size(pool["size_bytes"]),
        size(pool["free_bytes"]),
        pool.get("classification") or UNKNOWN,
    )


_POOL_COLUMNS = ("POOL", "KIND", "SIZE", "FREE", "CLASS")


def _array(report: Report) -> Page:
    peer = f", paired with {report['peer']}" if report.get("peer") else ""
    rows = tuple(_pool_row(pool, report["name"]) for pool in report["pools"])
    headline = f"array {report['name']} at {report['site']}{peer}"
    return Page(headline, _POOL_COLUMNS, rows, warnings(report))


def _arrays(report: Report) -> Page:
    rows = tuple(
        (
            array["name"],
            array["site"],
            array.get("peer") or UNKNOWN,
            ", ".join(pool["name"] for pool in array["pools"]) or UNKNOWN,
            size(sum(pool["free_bytes"] for pool in array["pools"])),
        )
        for array in report["arrays"]
    )
    return Page("", ("ARRAY", "SITE", "PEER", "POOLS", "FREE"), rows)


def _pools(report: Report) -> Page:
    rows = tuple(_pool_row(pool, pool["array"]) for pool in report["pools"])
    return Page("", _POOL_COLUMNS, rows)


def _pair(report: Report) -> Page:
    headline = f"{report['array']} and {report['peer']} are paired{already(report)}"
    return Page(headline, lines=warnings(report))


def _pairs(report: Report) -> Page:
    rows = tuple((p["array"], p["peer"], clock(p["paired_unix"])) for p in report["pairs"])
    return Page("", ("ARRAY", "PEER", "SINCE"), rows)


def _volume_row(volume: Report) -> tuple[str, ...]:
    return (
        volume["name"],
        f"{volume['array']}/{volume['pool']}",
        volume["kind"],
        size(volume["size_bytes"]),
        str(volume["block_bytes"]),
    )


_VOLUME_COLUMNS = ("VOLUME", "POOL", "KIND", "SIZE", "BLOCK")


def _volumes(report: Report) -> Page:
    return Page("", _VOLUME_COLUMNS, tuple(_volume_row(v) for v in report["volumes"]))


def _provision(report: Report) -> Page:
    count = len(report["volumes"])
    headline = f"{count} volume{'s' if count != 1 else ''} made{already(report)}"
    lines = tuple(
        f"log {log['volume']}: {size(log['ring_bytes'])} ring, {size(log['metadata_bytes'])} "
        "metadata"
        for log in report.get("logs", ())
    )
    rows = tuple(_volume_row(v) for v in report["volumes"])
    return Page(headline, _VOLUME_COLUMNS, rows, lines + warnings(report))


STORAGE_PAGES: dict[str, Callable[[Report], Page]] = {
    "srshell.candidates/1": _candidates,
    "srshell.array/1": _array,
    "srshell.arrays/1": _arrays,
    "srshell.pools/1": _pools,
    "srshell.pair/1": _pair,
    "srshell.pairs/1": _pairs,
    "srshell.volumes/1": _volumes,
    "srshell.provision/1": _provision,
}
