"""Process entries: every command that a person can type after srshell."""

from __future__ import annotations

from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line; the words after ``srshell``, from the process when not given."""
    from srshell.cli.command_line import main as run

    return run(words)
