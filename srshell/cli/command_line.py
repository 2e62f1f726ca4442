"""The command line: read it, run the command, say what came of it.

Always true:

(1) The exit code is one of `Exit`; errors are on standard error, as JSON with ``--json``.
(2) No traceback reaches a person: what was not foreseen is written to a log, and SR9999 names it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from srshell.cli import help_text, processes, remote, show, streams
from srshell.cli.surroundings import (
    Exit,
    Surroundings,
    Unreachable,
    UsageProblem,
    read_options,
)
from srshell.fabric.calls import Call, build_parser, parse_words
from srshell.fabric.command_spec import Effect
from srshell.fabric.commands import find_command
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    if words is None:
        streams.take()
    typed = list(sys.argv[1:] if words is None else words)
    around = Surroundings(FabricPlace(Path()), json="--json" in typed)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        try:
            around, rest, flags = read_options(typed)
        except SrError as error:
            raise UsageProblem(error) from error
        code = _run(around, rest, flags)
        sys.stdout.flush()
        return code
    except UsageProblem as problem:
        return _refused(problem.error, Exit.USAGE, around, typed)
    except Unreachable as unreachable:
        return _refused(unreachable.error, Exit.UNREACHABLE, around, typed)
    except SrError as error:
        return _refused(error, Exit.FAILED, around, typed)
    except remote.Detached as detached:
        print(around.addressed("\n".join(detached.lines())), file=sys.stderr)
        return Exit.INTERRUPTED
    except KeyboardInterrupt:
        print("interrupted: nothing was left half done", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        streams.discard()
        return Exit.OK
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _refused(_unforeseen(error), Exit.FAILED, around, typed)


def _refused(error: SrError, code: Exit, around: Surroundings, typed: list[str]) -> Exit:
    """Say why a command line came to nothing; returns what the process is to return."""
    show.show_error(error, around, as_json="--json" in typed)
    return code


def _run(around: Surroundings, rest: list[str], flags: set[str]) -> int:
    """Run what the words say."""
    if "--version" in flags:
        from srshell import __version__

        print(f"srshell {__version__}")
        return Exit.OK
    if "--help" in flags or not rest or rest[0] == "help":
        return _help(rest[1:] if rest[:1] == ["help"] else [])
    if rest == ["lab"]:
        rest = ["lab", "list"]
    if rest[0] == "nbd":
        from srshell.cli import gateway

        rest = ["gateway", *rest[1:]] if gateway.is_wanted(rest) else rest
    call = _read(rest)
    if call is None:
        return _help(rest)
    if call.json:
        around = _with_json(around)
    perform = processes.run if call.spec.effect is Effect.RUNS else remote.run
    return perform(call, around)


def _read(words: list[str]) -> Call | None:
    """The call that the words stand for; None when its help is wanted."""
    found = find_command(words)
    raw = found is not None and found[0].raw
    asked = words[1:2] if raw else words
    if "--help" in asked or "-h" in asked:
        return None
    try:
        return parse_words(words)
    except SrError as error:
        raise UsageProblem(error) from error


def _help(words: list[str]) -> int:
    """Print the help of one command, or of all."""
    found = find_command([word for word in words if not word.startswith("-")])
    if found is None:
        print(help_text.overview(words[0] if words else ""))
        return Exit.OK
    print(build_parser(found[0]).format_help(), end="")
    return Exit.OK


def _with_json(around: Surroundings) -> Surroundings:
    import attrs

    return attrs.evolve(around, json=True)


def _unforeseen(error: Exception) -> SrError:
    """SR9999 for a defect of ours, with the traceback in a file; what is none is said."""
    if isinstance(error, FileNotFoundError) and not _stands_somewhere():
        facts = "it was removed since this shell went there"
        return SrError.make("SR0105", facts=facts, mend="cd", noun="directory", name=os.curdir)
    problem = f"{type(error).__name__}: {error}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="srshell-", suffix=".log", delete=False
        ) as log:
            traceback.print_exception(error, file=log)
        facts = f"the details are in {log.name}"
    except OSError:
        facts = "the details could not be written"
    return SrError.make("SR9999", facts=facts, mend="srshell events", problem=problem)


def _stands_somewhere() -> bool:
    """Whether the directory that this process works in is still there."""
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False
