"""`python -m srshell_tui`: what `srshell dash` and `srshell shot` start.

Always true: the words are read by the registry of commands; errors look as in the shell.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from srshell.cli import streams
from srshell.cli.surroundings import Exit, Surroundings, read_options
from srshell.fabric.calls import Call, parse_words
from srshell.model.errors import SrError
from srshell_tui.camera import take
from srshell_tui.options import (
    Options,
    choose_ascii,
    choose_mouse,
    choose_plain,
    choose_theme,
)
from srshell_tui.reel import Reel, read_past, read_reel
from srshell_tui.shot import Shot, parse_size


def main(words: Sequence[str] | None = None) -> int:
    """Run the words after ``python -m srshell_tui``; returns what the process is to return."""
    if words is None:
        streams.take()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        around, rest, _ = read_options(sys.argv[1:] if words is None else words)
        call = parse_words(rest)
        return _dash(call, around) if call.spec.name == "dash" else _shot(call, around)
    except SrError as error:
        sys.stderr.write("\n".join(error.lines()) + "\n")
        return Exit.UNREACHABLE if error.code == "SR9001" else Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        streams.discard()
        return Exit.OK


def _options(call: Call, around: Surroundings) -> Options:
    """How the dashboard is to be, from the words and the environment."""
    given = call.arguments
    environment = _page() if _in_browser(os.environ) else os.environ
    theme = given.get("theme")
    every = given.get("every")
    record = given.get("record")
    return Options(
        place=around.place,
        start=around.start,
        owner=around.options,
        read_only=bool(given.get("read_only")),
        theme=choose_theme(theme if isinstance(theme, str) else None, environment),
        ascii_only=bool(given.get("ascii")) or choose_ascii(environment),
        period_seconds=float(every) if isinstance(every, int | float) else 1.0,
        mouse=choose_mouse(environment),
        record=Path(record) if isinstance(record, str) else None,
    )


def _past(call: Call, around: Surroundings) -> Reel:
    """The recording that is meant: a file, or what the owner of the fabric has kept."""
    recording = call.arguments.get("recording")
    return read_reel(Path(str(recording))) if recording else read_past(around.place.recording)


def _dash(call: Call, around: Surroundings) -> int:
    """Watch until the person quits."""
    options = _options(call, around)
    given = call.arguments
    if given.get("replay") or given.get("at") or given.get("recording"):
        at = given.get("at")
        options = attrs.evolve(options, reel=_past(call, around), at=str(at) if at else "")
    if given.get("web"):
        return _web(call, around)
    # Textual reads standard input and writes to standard error.
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    terminal = terminal or _in_browser(os.environ)
    if given.get("plain") or (
        choose_plain(os.environ, terminal=terminal) and not _in_browser(os.environ)
    ):
        from srshell_tui.plain import PlainDashboard, tell_past  # noqa: PLC0415 - without Textual

        if options.reel is not None:
            moment = options.reel.moment_of(options.at) if options.at else options.reel.begin_unix
            return tell_past(options.reel, moment, options)
        return asyncio.run(PlainDashboard(options).run())
    # Textual reads these when it is imported: nothing moves by itself.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    from srshell_tui.app import Dashboard  # noqa: PLC0415 - after the line above

    return Dashboard(options).run(mouse=options.mouse) or Exit.OK


def _in_browser(environment: Mapping[str, str]) -> bool:
    """Whether a page of `srshell dash --web` started this process; it is a terminal to it."""
    return "web_driver" in environment.get("TEXTUAL_DRIVER", "")


def _page() -> Mapping[str, str]:
    """The surroundings of a page: what the terminal of the server can show says nothing of it."""
    of_terminal = {"TERM", "SSH_TTY"}
    kept = {name: value for name, value in os.environ.items() if name not in of_terminal}
    return {**kept, "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}


def _web(call: Call, around: Surroundings) -> int:
    """Serve pages, each of which starts a dashboard."""
    try:
        from srshell_tui.web import serve  # noqa: PLC0415 - loads a server, which few need
    except ImportError as error:
        facts = "the package textual-serve is missing: pip install 'srshell[web]'"
        raise SrError.make("SR0108", facts=facts, option="--web") from error
    port = call.arguments.get("port")
    number = port if isinstance(port, int) else 0
    try:
        return serve(page_words(call, around), number)
    except (OSError, OverflowError) as error:
        facts = getattr(error, "strerror", "") or str(error)
        raise SrError.make("SR0005", facts=facts, text=str(number), noun="free port") from error


def page_words(call: Call, around: Surroundings) -> list[str]:
    """What starts the dashboard of one page; it changes nothing unless that was asked for."""
    words = [sys.executable, "-m", "srshell_tui", "--fabric", str(around.place.directory)]
    words += [] if around.start else ["--no-start"]
    words += ["dash"] if call.arguments.get("changes") else ["dash", "--read-only"]
    for argument in call.spec.arguments:
        value = call.arguments.get(argument.keyword)
        if argument.keyword in {"web", "changes", "port", "read_only", "plain"} or not value:
            continue
        words += [argument.flags[0], *([] if value is True else [str(value)])]
    return words


def _shot(call: Call, around: Surroundings) -> int:
    """Draw one screen into a file."""
    given = call.arguments
    width, height = parse_size(str(given.get("size", "80x24")))
    recording, output = given.get("recording"), given.get("output")
    theme = given.get("theme")
    options = attrs.evolve(
        _options(call, around),
        theme=f"sr-{theme}" if theme else "sr-dark",
        ascii_only=bool(given.get("ascii")),
    )
    shot = Shot(str(given["screen"]), width, height, str(given.get("group", "")))
    view = None
    if at := given.get("at"):
        reel = _past(call, around)
        view = reel.view_at(reel.index_at(reel.moment_of(str(at))))
    text = take(
        shot,
        Path(str(recording)) if recording else None,
        Path(str(output)) if output else None,
        options,
        view,
    )
    sys.stdout.write(text)
    sys.stdout.flush()
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
