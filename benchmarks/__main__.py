"""`make bench` and `make bench-long`: a table of ratios; nothing here passes or fails.

Always true:

(1) A row is printed, and kept in the JSON file if there is one, as soon as it is measured; a run
    that is begun again with that file measures only what is not there yet.
(2) A sheet that fails is told of and left out; the others are measured.
(3) Files of the measurements lie in one folder, which is removed however the run ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks import (
    curves,
    sheets_of_copies,
    sheets_of_fabrics,
    sheets_of_peers,
    sheets_of_writes,
    table,
)
from benchmarks.rows import Row
from benchmarks.setting import Setting, Sheet
from srshell.model.commits import Commits
from srshell.site.memory import calm_collector, share_heap
from srshell.site.process import loop_factory

SHORT: tuple[Sheet, ...] = (
    *sheets_of_writes.SHORT,
    *sheets_of_peers.SHORT,
    *sheets_of_copies.SHORT,
)
LONG: tuple[Sheet, ...] = (
    *sheets_of_writes.LONG,
    *sheets_of_peers.LONG,
    *sheets_of_copies.LONG,
    *sheets_of_fabrics.LONG,
)
_INTERRUPTED = 130
_ENDS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the suite and print the table; 1 if a sheet failed, 130 if it was broken off."""
    options = _parser().parse_args()
    rows = _kept(options.json)
    sheets = LONG if options.long else SHORT
    _say(table.head())
    with tempfile.TemporaryDirectory(prefix="srshell-bench-", dir=options.folder) as folder:
        setting = Setting(
            Path(folder),
            options.seconds,
            options.pairs,
            options.mib << 20,
            options.large_mib << 20,
            Commits(options.commit),
        )
        share_heap()
        calm_collector()  # as a site process does; the primary often lives in this one
        with asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
            failed = runner.run(_until_broken_off(setting, sheets, rows, options))
        # What is left to do is removing files: nobody interrupts that.
        for number in _ENDS:
            signal.signal(number, signal.SIG_IGN)
    if failed is None:
        _tell("broken off; begin again with the same --json to go on")
        return _INTERRUPTED
    _say("\n".join([*table.legend(rows), _machine()]))
    if options.plots:
        for path in curves.write_drawings(rows, options.plots):
            _tell(f"drew {path}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure srshell.")
    parser.add_argument("--long", action="store_true", help="every row, in about 20 minutes")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their names")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--pairs", type=int, default=3, help="measurements of each row")
    parser.add_argument("--mib", type=int, default=512, help="size of the volume that is written")
    parser.add_argument("--large-mib", type=int, default=4096, help="size of one that is copied")
    parser.add_argument(
        "--commit", choices=tuple(Commits), default=Commits.AUTO, help="where sites commit"
    )
    parser.add_argument("--folder", type=Path, help="where volumes and logs are made")
    parser.add_argument("--json", type=Path, help="keep the rows there, and go on from them")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw how costs grow")
    return parser


async def _until_broken_off(
    setting: Setting, sheets: Sequence[Sheet], rows: list[Row], options: argparse.Namespace
) -> list[str] | None:
    """Measure; None if a signal ended it.  A second one does not keep sites from being ended."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    broken = False

    def break_off() -> None:
        nonlocal broken
        if not broken:
            broken = True
            _tell("ending the sites and removing their files")
            task.cancel()

    for number in _ENDS:
        loop.add_signal_handler(number, break_off)
    try:
        return await _measure(setting, sheets, rows, options)
    except asyncio.CancelledError:
        if broken:
            return None
        raise


async def _measure(
    setting: Setting, sheets: Sequence[Sheet], rows: list[Row], options: argparse.Namespace
) -> list[str]:
    """Measure what is wanted and not there yet; return the sheets that failed."""
    for row in rows:
        _say(table.line(row))
    failed: list[str] = []
    for number, sheet in enumerate(sheets, 1):
        works = _possible(sheet, sheet.wanted(options.only, [row.work for row in rows]))
        if not works:
            continue
        began = time.monotonic()
        _tell(f"{number} of {len(sheets)}, {sheet.title}: {len(works)} rows")
        try:
            async for row in sheet.measure(setting, works):
                rows.append(row)
                _say(table.line(row))
                _keep(options.json, rows)
        except Exception as error:  # noqa: BLE001 - the other rows are still worth their time
            _tell(f"{sheet.title} failed: {type(error).__name__}: {error}")
            failed.append(sheet.title)
        _tell(f"{sheet.title} took {time.monotonic() - began:.0f} s")
        await asyncio.to_thread(os.sync)
    return failed


def _possible(sheet: Sheet, works: Sequence[str]) -> tuple[str, ...]:
    """Leave out what needs a program that is not installed, and say so."""
    missing = sheet.missing()
    for work in (work for work in works if work in missing):
        _tell(f"{work} is left out: {missing[work]} is not installed")
    return tuple(work for work in works if work not in missing)


def _kept(path: Path | None) -> list[Row]:
    if path is None or not path.exists():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _keep(path: Path | None, rows: Sequence[Row]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps([attrs.asdict(row) for row in rows], indent=1), encoding="utf-8")
    fresh.replace(path)


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load} at the end"


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
