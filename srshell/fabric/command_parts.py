"""Short ways to write down the arguments of commands.

Always true: these only build `Argument` values; they decide nothing.
"""

from __future__ import annotations

from srshell.fabric.command_spec import Argument, Kind, Noun, Role

POLICIES = ("continue", "suspend-io", "io-error")


def word(name: str, help_text: str, noun: Noun = Noun.NOTHING, metavar: str = "") -> Argument:
    """A positional argument that has to be there."""
    return Argument(name, help_text, noun=noun, metavar=metavar)


def optional_word(
    name: str, help_text: str, noun: Noun = Noun.NOTHING, metavar: str = ""
) -> Argument:
    """A positional argument that may be left out."""
    return Argument(name, help_text, noun=noun, required=False, metavar=metavar)


def words(
    name: str,
    help_text: str,
    noun: Noun = Noun.NOTHING,
    metavar: str = "",
    *,
    required: bool = True,
) -> Argument:
    """As many positional arguments as there are."""
    return Argument(name, help_text, noun=noun, required=required, many=True, metavar=metavar)


def rest(name: str, help_text: str, noun: Noun = Noun.NOTHING) -> Argument:
    """All words that follow, as they are."""
    return Argument(name, help_text, noun=noun, required=False, many=True, rest=True)


def option(
    flag: str,
    help_text: str,
    noun: Noun = Noun.NOTHING,
    *,
    kind: Kind = Kind.TEXT,
    name: str = "",
    metavar: str = "",
    required: bool = False,
) -> Argument:
    """An option with a value."""
    return Argument(
        name or _keyword(flag),
        help_text,
        flags=(flag,),
        noun=noun,
        kind=kind,
        required=required,
        metavar=metavar,
    )


def file_option(flag: str, help_text: str, role: Role) -> Argument:
    """An option that names a file the owner reads; not everybody may have it read any file."""
    return Argument(
        _keyword(flag), help_text, flags=(flag,), noun=Noun.PLACE, required=False, metavar="FILE",
        role=role,
    )  # fmt: skip


def options(
    flag: str,
    help_text: str,
    noun: Noun = Noun.NOTHING,
    *,
    name: str = "",
    required: bool = False,
) -> Argument:
    """An option with one value or more."""
    return Argument(
        name or _keyword(flag), help_text, flags=(flag,), noun=noun, required=required, many=True
    )


def choice(flag: str, help_text: str, values: tuple[str, ...], default: str | None) -> Argument:
    """An option whose value is one of a few words."""
    return Argument(
        _keyword(flag), help_text, flags=(flag,), choices=values, default=default, required=False
    )


def flag(
    text: str,
    help_text: str,
    *,
    target: str = "",
    constant: object = None,
    name: str = "",
    role: Role | None = None,
) -> Argument:
    """An option without a value; ``constant`` is what it puts into the keyword ``target``."""
    return Argument(
        name or _keyword(text),
        help_text,
        flags=(text,),
        kind=Kind.FLAG,
        required=False,
        target=target,
        constant=constant,
        role=role,
    )


def _keyword(text: str) -> str:
    """``--accept-loss`` -> ``accept_loss``."""
    return text.lstrip("-").replace("-", "_")
