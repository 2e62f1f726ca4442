"""``srshell prefixes``: rebuild the volumes of a log at many LSNs, and have each checked.

Always true:

(1) A checker gets copies that it may change; nothing that it does reaches the next prefix.
(2) What a checker says is kept with the LSN; the command ends with 1 if any was not content.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import attrs

from srshell.cli import show
from srshell.cli.surroundings import Exit, Surroundings
from srshell.engine.prefixes import Prefixes
from srshell.model.errors import SrError
from srshell.site.errors import readable_errors

#: What is run when nothing else is said: repair what a crash leaves to be repaired (the journal,
#: orphans), then accept no flaw.  ``e2fsck -p`` gives up on anything that a crash cannot leave.
EXT4: Final = ("e2fsck -f -p {}", "e2fsck -f -n {}")
#: e2fsck: clean, or what was to be repaired has been.
_CONTENT: Final = frozenset({0, 1})
_SAID_BYTES: Final = 500
_ADMIN_FOLDERS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")

#: Looks at the images of one prefix, by volume; returns what is wrong, or nothing.
Checker = Callable[[int, Mapping[str, Path]], Coroutine[Any, Any, str]]


@attrs.frozen
class Problem:
    """A prefix that a checker was not content with."""

    lsn: int
    text: str


@attrs.frozen
class PrefixesReport:
    """What was checked, and what was found."""

    log: str
    first_lsn: int
    last_lsn: int
    prefixes: int
    clean: int
    problems: tuple[Problem, ...]
    seconds: float
    schema: str = "srshell.prefixes/1"


async def check_prefixes(
    log: Path,
    base: Mapping[str, Path],
    checkers: Sequence[Checker],
    *,
    since: Path | None = None,
    step: int = 1,
    from_lsn: int = 0,
    to_lsn: int = 0,
    count_max: int = 0,
    folder: Path | None = None,
) -> PrefixesReport:
    """Rebuild every ``step``-th prefix, and let all checkers look at it; see `Prefixes.open`.

    ``count_max``: at most so many prefixes; 0 for all.  ``folder``: where to work; it has to hold
    two copies of the volumes.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder, prefix="prefixes-") as name:
        place = Path(name)
        for each in ("built", "copy"):
            (place / each).mkdir()
        prefixes = await Prefixes.open(log, base, place / "built", since)
        lsns: list[int] = []
        problems: list[Problem] = []
        try:
            async with aclosing(prefixes.every(step, from_lsn, to_lsn)) as given:
                async for prefix in given:
                    lsns.append(prefix.lsn)
                    text = await _check(prefix.lsn, prefix.images, place / "copy", checkers)
                    if text:
                        problems.append(Problem(prefix.lsn, text))
                    if len(lsns) == count_max:
                        break
        finally:
            await prefixes.close()
    clean, seconds = len(lsns) - len(problems), time.monotonic() - began
    return PrefixesReport(
        str(log), min(lsns), max(lsns), len(lsns), clean, tuple(problems), seconds
    )


async def _check(
    lsn: int, images: Mapping[str, Path], folder: Path, checkers: Sequence[Checker]
) -> str:
    """Let checkers look at copies; return what the first one that is not content says."""
    copies = {name: folder / name for name in images}
    for name, path in images.items():
        await asyncio.to_thread(_copy_sparse, path, copies[name])
    for checker in checkers:
        text = await checker(lsn, copies)
        if text:
            return text
    return ""


def _copy_sparse(source: Path, target: Path) -> None:
    """Copy a file; what is zeros there takes no room here."""
    piece_bytes = 1 << 16
    zeros = bytes(piece_bytes)
    with source.open("rb") as reading, target.open("wb") as writing:
        writing.truncate(source.stat().st_size)
        while piece := reading.read(piece_bytes):
            if piece == zeros[: len(piece)]:
                writing.seek(len(piece), 1)
            else:
                writing.write(piece)


def command_checker(line: str, content: frozenset[int] = frozenset({0})) -> Checker:
    """Make a checker of a command: ``{NAME}`` is the image of a volume, ``{}`` that of each.

    Raises:
        SrError: SR0105, its program is not there.
    """
    words = shlex.split(line)
    program = shutil.which(words[0], path=_search_path()) if words else None
    if program is None:
        raise SrError.make("SR0105", facts=line, noun="program", name=words[0] if words else "")

    async def check(lsn: int, images: Mapping[str, Path]) -> str:
        names = {f"{{{name}}}": str(path) for name, path in images.items()}
        each = [str(path) for path in images.values()] if "{}" in line else [""]
        for path in each:
            filled = [_filled(word, {"{}": path, "{LSN}": str(lsn), **names}) for word in words[1:]]
            ran = await asyncio.to_thread(_run, [program, *filled])
            if ran.returncode not in content:
                said = (ran.stdout + ran.stderr)[-_SAID_BYTES:].decode(errors="replace")
                return f"{words[0]} ended with {ran.returncode}: {said.strip()}"
        return ""

    return check


def ext4_checkers(volumes: Sequence[str] = ()) -> list[Checker]:
    """The checkers for ext4 file systems, on all volumes or on the named ones."""
    lines = [line.replace("{}", f"{{{name}}}") for name in volumes for line in EXT4] or list(EXT4)
    contents = [_CONTENT if " -p " in line else frozenset({0}) for line in lines]
    return [command_checker(line, content) for line, content in zip(lines, contents, strict=True)]


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _search_path() -> str:
    """Where an administrator's shell would look, too."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *_ADMIN_FOLDERS))


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)


def run(arguments: dict[str, Any], around: Surroundings) -> int:
    """Carry the command out."""
    base: dict[str, Path] = {}
    for word in arguments["base"]:
        name, equals, path = str(word).partition("=")
        if not equals:
            raise SrError.make("SR0005", facts="VOLUME=IMAGE", text=word, noun="image of a volume")
        base[name] = Path(path).absolute()
    line = arguments.get("check")
    since = arguments.get("since")
    with readable_errors():
        report = asyncio.run(
            check_prefixes(
                Path(arguments["log"]),
                base,
                [command_checker(line)] if line else ext4_checkers(),
                since=Path(since) if since else None,
                step=arguments.get("every") or 1,
                from_lsn=arguments.get("from_lsn") or 0,
                to_lsn=arguments.get("to_lsn") or 0,
                count_max=arguments.get("limit") or 0,
                folder=Path(arguments["work"]) if arguments.get("work") else None,
            )
        )
    show.show_result(json.dumps(attrs.asdict(report)), around)
    return Exit.OK if report.clean == report.prefixes else Exit.FAILED
