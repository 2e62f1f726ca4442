"""What a command is, as data: its words, its arguments, and what it does to the fabric.

Always true:

(1) A command knows nothing of terminals, notebooks or sockets; those read it.
(2) Options that belong to a kind of command (``--dry-run``, ``--timeout``, ``--confirm``) are added
    by the kind, never written down twice.
(3) A command that names no role is for the owner alone.
"""

from __future__ import annotations

from enum import StrEnum

import attrs


class Kind(StrEnum):
    """How the text of an argument is read."""

    TEXT = "text"
    SIZE = "size"  # 64G, 64GiB, 4096 -> bytes
    SECONDS = "seconds"  # 90s, 5m, 1.5 -> seconds
    NUMBER = "number"
    FLAG = "flag"  # present or not


class Noun(StrEnum):
    """What an argument names; completion looks the candidates up by it."""

    NOTHING = ""
    PLACE = "place"
    ARRAY = "array"
    POOL = "pool"
    CLASSIFICATION = "classification"
    VOLUME = "volume"
    GROUP = "group"
    MACHINE = "virtual machine"
    BRANCH = "branch"
    JOB = "job"
    STATE = "state"
    CODE = "code"
    OBJECT = "object"
    COMMAND = "command"
    LAB = "lab"


class Effect(StrEnum):
    """What a command does to the fabric."""

    SHOWS = "shows"  # changes nothing
    CHANGES = "changes"  # takes --dry-run and --bg
    WAITS = "waits"  # changes, and ends only when something was reached: takes --timeout too
    WATCHES = "watches"  # changes nothing, and waits: takes --timeout
    DESTROYS = "destroys"  # loses data, changes roles or ends protection: takes --confirm too
    RUNS = "runs"  # a process of its own, not a verb of the session


class Role(StrEnum):
    """What a person may ask of the fabric; each role may do what those before it may."""

    VIEWER = "viewer"  # look, and follow events
    OPERATOR = "operator"  # what neither sets up nor destroys
    ADMIN = "admin"  # everything

    def allows(self, needed: Role) -> bool:
        """Whether this role may do what needs the other."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@attrs.frozen
class Argument:
    """One positional argument, or with ``flags`` one option."""

    name: str  # keyword of the session's method
    help: str
    flags: tuple[str, ...] = ()
    noun: Noun = Noun.NOTHING
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    default: object = None
    required: bool = True  # options are never required unless this says so
    many: bool = False  # takes one word or more (none, when not required)
    pair: bool = False  # takes exactly two words
    rest: bool = False  # takes all words that follow as they are, options too
    constant: object = None  # what a flag stands for, when not just True
    target: str = ""  # keyword that the value goes to, when several flags share one
    metavar: str = ""
    role: Role | None = None  # what giving it needs, when that is more than the command needs

    @property
    def keyword(self) -> str:
        """The keyword under which the method takes the value."""
        return self.target or self.name

    @property
    def shown(self) -> str:
        """How the value is written in a usage line."""
        if self.choices:
            return "|".join(self.choices)
        return self.metavar or self.name.upper()


@attrs.frozen
class CommandSpec:
    """A command: one verb of the session, and how a person meets it."""

    name: str  # words as typed, such as "group create"
    method: str  # method of `FabricApi`; empty when the command is a process of its own
    summary: str
    example: str  # a line that works once its objects exist
    effect: Effect = Effect.SHOWS
    arguments: tuple[Argument, ...] = ()
    cmdlet: str = ""  # the article's own command
    step: int = 0  # step of the article, 1 to 11; 0: around them
    short_names: tuple[str, ...] = ()  # other names of the magic
    confirms: str = ""  # what --confirm names
    hidden: bool = False
    role: Role | None = None  # who may ask for it; every command says so

    @property
    def needs(self) -> Role:
        """The role that the command needs; one that does not say is for the owner alone."""
        return self.role or Role.ADMIN

    @property
    def words(self) -> tuple[str, ...]:
        """The name, word by word."""
        return tuple(self.name.split())

    @property
    def changes(self) -> bool:
        """Whether the command may change the fabric; it has a plan then."""
        return self.effect in {Effect.CHANGES, Effect.WAITS, Effect.DESTROYS}

    @property
    def waits(self) -> bool:
        """Whether the command may take long; it can be given up then without being undone."""
        return self.effect in {Effect.WAITS, Effect.WATCHES, Effect.DESTROYS}

    @property
    def destructive(self) -> bool:
        """Whether the command loses data, changes roles or ends protection."""
        return self.effect is Effect.DESTROYS

    @property
    def raw(self) -> bool:
        """Whether the words after the command belong to somebody else."""
        return any(argument.rest for argument in self.arguments)

    @property
    def positionals(self) -> tuple[Argument, ...]:
        """Arguments without a flag, in order."""
        return tuple(argument for argument in self.arguments if not argument.flags)

    @property
    def options(self) -> tuple[Argument, ...]:
        """Arguments with a flag, then those that the effect brings."""
        own = tuple(argument for argument in self.arguments if argument.flags)
        return (*own, *self.common_options)

    @property
    def common_options(self) -> tuple[Argument, ...]:
        """Options that every command of this effect takes."""
        options: list[Argument] = []
        if self.changes:
            options += [DRY_RUN, BACKGROUND]
        if self.waits:
            options.append(TIMEOUT)
        if self.confirms:
            options.append(attrs.evolve(CONFIRM, help=f"name {self.confirms}"))
        return (*options, JSON)

    @property
    def usage(self) -> str:
        """One line as in the manual: the words, then the arguments; common options left out."""
        return " ".join((self.name, *(_usage(argument) for argument in self.arguments)))


def _usage(argument: Argument) -> str:
    """One argument as a usage line writes it."""
    text = " ".join(argument.flags[:1])
    if argument.kind is not Kind.FLAG:
        shown = f"{argument.shown}…" if argument.many else argument.shown
        shown = argument.metavar if argument.pair else shown
        text = f"{text} {shown}".strip()
    optional = not argument.required
    return f"[{text}]" if optional else text


DRY_RUN = Argument(
    "dry_run",
    "show the plan and change nothing",
    flags=("-n", "--dry-run"),
    kind=Kind.FLAG,
    required=False,
)
BACKGROUND = Argument(
    "background",
    "do not wait: return the job",
    flags=("--bg",),
    kind=Kind.FLAG,
    required=False,
)
TIMEOUT = Argument(
    "timeout",
    "stop waiting after SECONDS; the work goes on",
    flags=("--timeout",),
    kind=Kind.SECONDS,
    required=False,
    metavar="SECONDS",
)
CONFIRM = Argument("confirm", "", flags=("--confirm",), required=False, metavar="NAME")
JSON = Argument(
    "json", "print the result as JSON", flags=("--json",), kind=Kind.FLAG, required=False
)
