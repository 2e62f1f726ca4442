"""How the demo speaks: commands as a person types them, results, a bar for what takes long.

Always true: without a terminal nothing moves: no bar, no colour, one line for each thing said.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from srshell.model.report import JobReport

_QUIET_SECONDS = 2.0


class Screen:
    """The demo's voice."""

    def __init__(self) -> None:
        """Speak to standard output."""
        self.console = Console(highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task = 0
        self._said_at = 0.0
        self._began = time.monotonic()

    def chapter(self, number: str, title: str) -> None:
        """Begin a step of the article."""
        self.console.print()
        self.console.print(Text(f"{number:>2}  {title}", style="bold"))

    def command(self, line: str) -> None:
        """Show a command as a person would type it."""
        self.console.print(Text(f"    $ srshell {line}", style="cyan"))

    def result(self, text: str) -> None:
        """Show what came of it."""
        for line in text.splitlines():
            self.console.print(Text(f"      {line}"))

    def failure(self, text: str) -> None:
        """Show what is wrong."""
        self.console.print(Text(f"      {text}", style="bold red"))

    @contextmanager
    def bar(self, what: str) -> Iterator[None]:
        """Show the progress of a job while it goes on; see `observe`."""
        if not sys.stdout.isatty():
            self._said_at = time.monotonic()
            yield
            return
        columns = (
            TextColumn("      {task.description}"),
            BarColumn(24),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TextColumn("{task.fields[eta]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            self._progress = progress
            self._task = progress.add_task(what, total=None, eta="ETA unknown")
            try:
                yield
            finally:
                self._progress = None

    def observe(self, report: JobReport) -> None:
        """Take note of a job's progress."""
        job = report.job
        if job.done_bytes is None or not job.total_bytes:
            return
        elapsed = max(0.001, time.time() - job.began_unix)
        share = job.done_bytes / job.total_bytes
        # A guess from the first hundredth is worse than none.
        known = share > 0.01 and elapsed > 0.5  # noqa: PLR2004
        left = elapsed * (1 - share) / share if known else None
        eta = f"ETA {left:.0f} s" if left is not None else "ETA unknown"
        if self._progress is not None:
            progress, task = self._progress, self._progress.task_ids[0]
            progress.update(task, completed=job.done_bytes, total=job.total_bytes, eta=eta)
        elif time.monotonic() - self._said_at > _QUIET_SECONDS:
            self._said_at = time.monotonic()
            self.result(f"{job.command} {share:.0%}, {eta}")

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Show the figures at the end."""
        table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
        for name, value in rows:
            table.add_row(Text(name), Text(value))
        self.console.print()
        self.console.print(table)
