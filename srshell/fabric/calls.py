"""Words that a person typed become a `Call`: a method of the session with its arguments.

Always true:

(1) The parser of a command is built from its `CommandSpec`; nothing is written down twice.
(2) A command that cannot be read raises SR0001 with the nearest word; the parser never exits and
    never prints.
(3) Sizes, durations and numbers are values in a `Call`, names are text.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import NoReturn

import attrs

from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind, Noun
from srshell.fabric.commands import COMMANDS, find_command
from srshell.model.errors import SrError
from srshell.model.geometry import parse_size
from srshell.model.identity import nearest

#: Seconds that a command waits when it is not told how long.
DEFAULT_TIMEOUT_SECONDS = 600.0

#: Numbers have at most as many digits as fit 64 bits.
_DIGITS_MAX = 18
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS_MAX = 1000 * 86400.0
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@attrs.frozen
class Call:
    """A command that was read: which method, with what, and how its result is wanted."""

    spec: CommandSpec
    method: str
    arguments: dict[str, object]
    json: bool = False
    report: str = ""  #: the surface writes the result there, as one HTML page; empty: nowhere

    @property
    def dry_run(self) -> bool:
        """Whether only the plan is wanted."""
        return self.arguments.get("dry_run") is True


def parse_seconds(text: str) -> float:
    """Read a duration such as ``90``, ``90s``, ``1.5m``, ``250ms`` into seconds.

    Raises:
        SrError: SR0005, it is no duration.
    """
    match = _SECONDS.fullmatch(text.strip())
    if match is None:
        raise SrError.make("SR0005", facts="examples: 90s, 5m, 1.5h", text=text, noun="duration")
    seconds = float(match[1]) * _UNIT_SECONDS[match[2] or "s"]
    if seconds > _SECONDS_MAX:
        raise SrError.make("SR0005", facts="at most 1000 days", text=text[:80], noun="duration")
    return seconds


def parse_line(line: str) -> Call:
    """Read a command line as it is printed in a mend: a leading ``srshell`` may be there."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise unreadable("", str(error).lower()) from error
    return parse_words(words[1:] if words[:1] == ["srshell"] else words)


def parse_words(words: Sequence[str]) -> Call:
    """Read the words of a command.

    Raises:
        SrError: SR0001, they are no command or do not fit it; SR0004 or SR0005, a value does not.
    """
    found = find_command(list(words))
    if found is None:
        raise unknown_command(words)
    spec, rest = found
    if spec.raw:
        return Call(spec, "", {spec.arguments[0].name: tuple(rest)})
    namespace = build_parser(spec).parse_args(rest)
    return to_call(spec, vars(namespace))


def unknown_command(words: Sequence[str]) -> SrError:
    """The error for words that no command begins with, with the nearest commands."""
    typed = " ".join(words[:2]) if words else ""
    inside = [name for name in COMMANDS if words and name.split()[0] == words[0]]
    near = inside or list(nearest(words[0], COMMANDS) if words else ())
    facts = f"did you mean: {', '.join(near)}" if near else "see srshell --help"
    return unreadable("", f"there is no command {typed!r}" if typed else "no command", facts)


def unreadable(command: str, problem: str, facts: str = "") -> SrError:
    """The error SR0001; its mending line is the help of the command."""
    mend = f"srshell {command} --help" if command else "srshell --help"
    return SrError.make("SR0001", facts=facts, mend=mend, problem=problem, command=command)


class CommandParser(argparse.ArgumentParser):
    """An argparse parser that raises `SrError` where the library's would print and exit."""

    def error(self, message: str) -> NoReturn:
        """Turn what argparse found into SR0001."""
        command = self.prog.removeprefix("srshell").strip()
        raise unreadable(command, message, self._hint(message))

    def _hint(self, message: str) -> str:
        """The nearest option to one that is not known, otherwise the usage."""
        unknown = re.search(r"unrecognized arguments: (--?[\w-]+)", message)
        flags = [flag for action in self._actions for flag in action.option_strings]
        near = nearest(unknown[1], flags) if unknown else ()
        return f"did you mean: {', '.join(near)}" if near else " ".join(self.format_usage().split())


class _Help(argparse.Action):
    """Help in the middle of a command: the library's own would print, and end the process."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> NoReturn:
        """Say where the help is."""
        command = parser.prog.removeprefix("srshell").strip()
        raise unreadable(command, "help stands alone, or right after its command")


@functools.cache
def build_parser(spec: CommandSpec, prog: str = "srshell") -> CommandParser:
    """The parser of one command, with its help."""
    parser = CommandParser(
        prog=f"{prog} {spec.name}".strip(),
        description=f"{spec.summary}.",
        epilog=f"example: {spec.example}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Help, nargs=0, help="show this help")
    for argument in (*spec.positionals, *spec.options):
        _add(parser, argument)
    return parser


def _add(parser: argparse.ArgumentParser, argument: Argument) -> None:
    """One argument of a spec as argparse wants it."""
    settings: dict[str, object] = {"help": argument.help.replace("%", "%%")}
    if argument.kind is Kind.FLAG:
        settings |= {"action": "store_true", "dest": argument.name}
    else:
        settings |= {"type": str, "default": None}
        settings["metavar"] = _metavar(argument)
    if argument.many:
        settings["nargs"] = "+" if argument.required or argument.flags else "*"
    elif argument.pair:
        settings["nargs"] = 2
    elif not argument.flags and not argument.required:
        settings["nargs"] = "?"
    if argument.flags and argument.kind is not Kind.FLAG:
        settings |= {"dest": argument.name, "required": argument.required}
    parser.add_argument(*(argument.flags or (argument.name,)), **settings)  # type: ignore[arg-type]


def _metavar(argument: Argument) -> str | tuple[str, ...]:
    """How help writes the value."""
    if argument.pair:
        return tuple(argument.metavar.split())
    return "{" + ",".join(argument.choices) + "}" if argument.choices else argument.shown


def to_call(spec: CommandSpec, typed: dict[str, object]) -> Call:
    """The call that parsed arguments stand for; what was not typed is left to the method."""
    arguments: dict[str, object] = {}
    for argument in (*spec.positionals, *spec.options):
        value = typed.get(argument.name)
        if argument.kind is Kind.FLAG:
            if value:
                _put(spec, arguments, argument)
        elif value is not None and value != []:
            arguments[argument.keyword] = _read(argument, value)
    as_json = arguments.pop("json", False) is True
    report = str(arguments.pop("report_file", ""))
    if arguments.pop("background", False):
        arguments["wait"] = False
    method = spec.method
    if spec.name == "provision":
        method = _provision(arguments)
    if spec.effect is Effect.DESTROYS and spec.name == "failover":
        arguments.setdefault("kind", "planned" if "accept_loss" not in arguments else "unplanned")
    return Call(spec, method, arguments, as_json, report)


def _put(spec: CommandSpec, arguments: dict[str, object], argument: Argument) -> None:
    """Set what a flag stands for; two flags for one keyword contradict each other."""
    value = True if argument.constant is None else argument.constant
    if argument.keyword in arguments and arguments[argument.keyword] != value:
        raise unreadable(spec.name, f"{argument.flags[0]} contradicts what was typed before it")
    arguments[argument.keyword] = value


def _read(argument: Argument, value: object) -> object:
    """The value of an argument, from one word or several."""
    if isinstance(value, list):
        return tuple(_read_word(argument, str(word)) for word in value)
    return _read_word(argument, str(value))


def _read_word(argument: Argument, text: str) -> object:
    """One word as the value that its kind says."""
    if argument.choices and text not in argument.choices:
        known = ", ".join(argument.choices)
        noun = argument.name.replace("_", " ")
        raise SrError.make("SR0005", facts=f"known: {known}", text=text, noun=noun)
    if argument.noun is Noun.PLACE:
        return absolute(text)
    match argument.kind:
        case Kind.SIZE:
            return parse_size(text)
        case Kind.SECONDS:
            return parse_seconds(text)
        case Kind.NUMBER:
            return _parse_number(argument, text)
        case Kind.TEXT | Kind.FLAG:
            return text


def absolute(place: str) -> str:
    """A place as the owner, which works in another directory, understands it.

    Raises:
        SrError: SR0005, it cannot be the path of anything, or nobody can say of what.
    """
    facts = ""
    if not place:
        facts = "it is empty; the directory where you are is written ."
    elif "\0" in place:
        facts = "no path holds a NUL"
    if facts:
        raise SrError.make("SR0005", facts=facts, text=place or repr(place), noun="path")
    try:
        return os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111 - text stays text
    except FileNotFoundError as error:
        facts = "the directory where you are was removed"
        raise SrError.make("SR0005", facts=facts, text=place, noun="path") from error


def _parse_number(argument: Argument, text: str) -> int:
    """A whole number that is not negative."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        noun = argument.name.replace("_", " ")
        raise SrError.make("SR0005", facts="a whole number", text=text, noun=noun)
    return int(text)


def _provision(arguments: dict[str, object]) -> str:
    """Tell the two forms of ``provision`` apart by the number of volumes that it names."""
    names = arguments.pop("names")
    assert isinstance(names, tuple)
    pools = arguments.pop("on", ())
    assert isinstance(pools, tuple)
    forbidden: Iterable[str]
    if len(names) == 1:
        forbidden, method = ("logs", "log_size"), "provision"
        arguments["name"] = names[0]
        if len(pools) > 1:
            raise unreadable("provision", "one volume is made in one pool")
        if pools:
            arguments["on"] = pools[0]
    elif len(names) == 2:  # noqa: PLR2004 - a source and a destination
        forbidden, method = ("log", "like"), "provision_pair"
        arguments["source"], arguments["destination"] = names
        if pools:
            arguments["on"] = pools
    else:
        raise unreadable("provision", f"one volume or two are made at once, not {len(names)}")
    for name in forbidden:
        if name in arguments:
            flag = f"--{name.replace('_', '-')}"
            count = "one volume" if len(names) == 1 else "two volumes"
            raise unreadable("provision", f"{flag} does not go with {count}")
    return method
