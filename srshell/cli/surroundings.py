"""What holds for every command of one command line: the fabric, the form of output, the terminal.

Always true: options of srshell itself stand before the command; ``--json`` may stand anywhere.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TextIO

import attrs

from srshell.fabric.calls import unreadable
from srshell.fabric.commands import SPOKEN
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace, find_place
from srshell.model.errors import SrError
from srshell.model.identity import nearest

_OPTIONS = ("--fabric", "--json", "--no-start", "--sandbox", "--profile", "--version", "--help")
_PROFILES = ("native", "seed-strict")


class Exit(IntEnum):
    """What the process returns; scripts rely on these numbers."""

    OK = 0
    FAILED = 1  # refused or failed; for `status`: a warning
    CRITICAL = 2  # for `status` alone
    UNREACHABLE = 3  # no owner answers and none could be started
    USAGE = 64  # the command line cannot be read
    INTERRUPTED = 130


class UsageProblem(Exception):
    """The command line cannot be read."""

    def __init__(self, error: SrError) -> None:
        super().__init__(str(error))
        self.error = error


class Unreachable(Exception):
    """No owner answers."""

    def __init__(self, error: SrError) -> None:
        super().__init__(str(error))
        self.error = error


@attrs.frozen
class Surroundings:
    """The options before the command, and where output goes."""

    place: FabricPlace
    json: bool = False
    start: bool = True
    options: OwnerOptions = attrs.Factory(OwnerOptions)
    fabric: str = ""  #: what was typed after ``--fabric``
    out: TextIO = attrs.field(factory=lambda: sys.stdout, repr=False)
    err: TextIO = attrs.field(factory=lambda: sys.stderr, repr=False)

    @property
    def drawn(self) -> bool:
        """Whether output goes to a terminal that a person looks at."""
        return self.out.isatty() and os.environ.get("TERM", "") != "dumb"

    def addressed(self, text: str) -> str:
        """A text whose command lines mean this fabric, in the shell that this one was typed in.

        Without ``--fabric`` they do so already; with it they would mean another fabric, in which
        the same names may stand for other groups.
        """
        if not self.fabric:
            return text
        option = f"srshell --fabric {shlex.quote(self.fabric)} "
        return SPOKEN.sub(lambda found: option + found[0].removeprefix("srshell "), text)


@attrs.define
class _Typed:
    """Options of srshell itself, as they are read."""

    fabric: str | None = None
    profile: str | None = None
    flags: set[str] = attrs.Factory(set)


def read_options(words: Sequence[str]) -> tuple[Surroundings, list[str], set[str]]:
    """The surroundings, the words of the command, and the flags ``--help`` and ``--version``.

    Raises:
        SrError: SR0001, an option is not known or lacks its value; SR0005, a profile is not known.
    """
    typed = _Typed()
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name == "-h":
            name = "--help"
        if name not in _OPTIONS:
            near = nearest(name, _OPTIONS)
            facts = f"did you mean: {', '.join(near)}" if near else f"known: {', '.join(_OPTIONS)}"
            raise unreadable("", f"{name} is no option", facts)
        if name in {"--fabric", "--profile"}:
            if not equals:
                if not rest:
                    raise unreadable("", f"{name} needs a value")
                value = rest.pop(0)
            setattr(typed, name.removeprefix("--"), value)
        else:
            typed.flags.add(name)
    return _surroundings(typed), rest, typed.flags & {"--help", "--version"}


def _surroundings(typed: _Typed) -> Surroundings:
    if typed.profile is not None and typed.profile not in _PROFILES:
        known = ", ".join(_PROFILES)
        raise SrError.make("SR0005", facts=f"known: {known}", text=typed.profile, noun="profile")
    fabric = typed.fabric
    # A directory is meant, even one that is not there yet and has no slash in it.
    path = os.path.join(os.curdir, fabric) if fabric and not fabric.startswith("~") else fabric  # noqa: PTH118 - the user's text
    return Surroundings(
        place=find_place(path),
        json="--json" in typed.flags,
        fabric=fabric or "",
        start="--no-start" not in typed.flags,
        options=OwnerOptions(sandbox="--sandbox" in typed.flags, profile=typed.profile),
    )
