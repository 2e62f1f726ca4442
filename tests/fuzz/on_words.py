"""Random words: command lines, lines of magics, requests to the owner, calls to a site, labels.

Always true: a reader of words refuses by `SrError`, or `RpcError` on the wire to a site, and by
nothing else.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import msgspec

from srshell.cli import surroundings
from srshell.fabric import calls
from srshell.fabric.command_spec import Role
from srshell.fabric.commands import COMMANDS
from srshell.fabric.control_server import read_body
from srshell.fabric.roles import needed_role
from srshell.fabric.verb import VERBS, complete
from srshell.model.errors import SrError
from srshell.model.identity import is_name
from srshell.site import labels, rpc
from srshell.site.labels import LABEL_SCHEMA, PoolLabel
from srshell_magics import words
from tests.fuzz.harness import Violation, boundary, mutated, pieces

STRANGE: Final = (
    "", " ", "-", "--", "-n", "--dry-run", "--json", "--help", "..", "../../etc/passwd",
    "/dev/null", "'", '"', "\\", "$x", "${x}", "$$", "{{", "}}", "<GROUP>", "#", ";", "%s",
    "%(prog)s", "{0}",
    "\0", "\x1b[31m", "\u202e", "\ud800", "\u2028", "ﬁ", "é", "e\u0301", "①", "٣", "64G", "1e999",
    "-1", "9" * 5000, "NaN", "inf", "0x10", "1_000", "4096 ", "[red]", "<script>", "a" * 300,
)  # fmt: skip
_NAMES: Final = {"x": "PriRG", "many": ["A", "B"], "odd": "a 'b\" $c"}


def _no_hints(_text: str, _known: Iterable[str], _limit: int = 8) -> tuple[str, ...]:
    return ()


@contextmanager
def _hints(wanted: bool) -> Iterator[None]:
    """Look for the nearest word now and then alone: that takes most of the time."""
    if wanted:
        yield
        return
    with ExitStack() as stack:
        for module in (calls, surroundings, words):
            stack.enter_context(mock.patch.object(module, "nearest", _no_hints))
        yield


class MagicTarget:
    """A line after a magic, then the same line as a command line."""

    name = "magic"

    def seeds(self) -> Sequence[bytes]:
        """Every example of the registry."""
        return [spec.example.encode() for spec in COMMANDS.values()]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Words of a command, some replaced; or characters changed."""
        seed = dice.choice(seeds)
        if dice.random() < 0.4:
            return mutated(dice, seed, seeds)
        line = seed.decode(errors="replace").split() or [""]
        for _ in range(dice.randint(0, 3)):
            line[dice.randrange(len(line))] = _word(dice)
        if dice.random() < 0.3:
            line.insert(dice.randrange(len(line) + 1), _word(dice))
        return " ".join(line).encode(errors="surrogatepass")

    def check(self, data: bytes) -> None:
        """Read it; nothing is carried out."""
        with _hints(len(data) % 16 == 0):
            self._check(data.decode(errors="surrogateescape"))

    def _check(self, line: str) -> None:
        try:
            # An expression in braces is the user's own Python, and is left out here.
            typed = words.read_words(line.replace("{", "{{"), _NAMES)
            surroundings.read_options(typed)
            calls.parse_words(typed)
        except (SrError, surroundings.UsageProblem):
            pass
        try:
            call = calls.parse_line(line)
        except SrError as error:
            if not error.lines():
                raise Violation("an error without a sentence") from error
            return
        if call.method and call.method not in VERBS:
            raise Violation(f"{call.method} is no verb")


def _word(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return dice.choice(STRANGE)
    spec = dice.choice(list(COMMANDS.values()))
    flags = [flag for argument in spec.options for flag in argument.flags]
    return dice.choice([*spec.words, *flags])


class ControlTarget:
    """A request to the owner: a verb, a line feed, the body of the request."""

    name = "control"

    def seeds(self) -> Sequence[bytes]:
        """Every verb with what it takes."""
        return [b"%s\n%s" % (name.encode(), _arguments(name)) for name in VERBS]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Values of other types and sizes, or characters changed."""
        seed = dice.choice(seeds)
        verb, _, body = seed.partition(b"\n")
        if dice.random() < 0.4:
            return verb + b"\n" + mutated(dice, body, seeds)
        try:
            arguments = json.loads(body or b"{}")
        except ValueError:
            return mutated(dice, seed, seeds)
        if isinstance(arguments, dict):
            for key in list(arguments):
                if dice.random() < 0.4:
                    arguments[key] = _value(dice)
            if dice.random() < 0.1:
                arguments[dice.choice(STRANGE)] = _value(dice)
        return verb + b"\n" + json.dumps(arguments).encode()

    def check(self, data: bytes) -> None:
        """Read the request as the server does, up to where the verb would be carried out."""
        verb, _, body = data.partition(b"\n")
        name = verb.decode(errors="replace")
        try:
            arguments = read_body(body)
            needed = needed_role(name, arguments)
            full = complete(name, arguments)
        except SrError as error:
            json.dumps(error.to_json()).encode()
            return
        if not Role.ADMIN.allows(needed):
            raise Violation(f"nobody may do {name}")
        # What is carried out can be written into the catalogue, whose numbers have 64 bits.
        json.dumps(full, ensure_ascii=False).encode()
        for value in full.values():
            if type(value) is int and not -(2**63) <= value < 2**63:
                raise Violation(f"{value} is no number of ours")


def _arguments(name: str) -> bytes:
    """Plausible arguments of a verb as JSON."""
    values: dict[str, Any] = {}
    for parameter in VERBS[name].signature.parameters.values():
        text = str(parameter.annotation)
        if "bool" in text:
            values[parameter.name] = True
        elif text.startswith(("int", "float")):
            values[parameter.name] = 7
        elif "Iterable" in text or str(parameter).startswith("*"):
            values[parameter.name] = ["PriRG"]
        else:
            values[parameter.name] = "PriRG"
    return json.dumps(values).encode()


def _value(dice: random.Random) -> object:
    deep: list[object] = []
    for _ in range(dice.choice((0, 1, 50))):
        deep = [deep]
    return dice.choice((
        None, True, boundary(dice), -boundary(dice), 10**30, 1.5, float("inf"), [], deep, {},
        ["PriRG", 1], {"name": "PriRG"}, dice.choice(STRANGE), dice.choice(STRANGE),
    ))  # fmt: skip


class RpcTarget:
    """What an owner sends to a site."""

    name = "rpc"

    def seeds(self) -> Sequence[bytes]:
        """A call of every verb without its arguments, and some with."""
        said = [rpc.encode(rpc.Call(7, name)) for name in sorted(rpc.VERB_NAMES)]
        read = rpc.find_verb("read").encode_arguments("vol", 0, 4096)
        write = rpc.find_verb("write").encode_arguments("vol", 0, b"data")
        said += [rpc.encode(rpc.Call(1, "read", read)), rpc.encode(rpc.Call(2, "write", write))]
        return [*said, b"".join(said[-2:])]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Changed bytes, most times under a right length."""
        changed = mutated(dice, dice.choice(seeds), seeds)
        if dice.random() < 0.3 or len(changed) < 4:
            return changed
        return (len(changed) - 4).to_bytes(4, "big") + changed[4:]

    def check(self, data: bytes) -> None:
        """Cut the stream into calls, and read the arguments of those that are known."""
        framer = rpc.Framer()
        try:
            messages = [message for piece in pieces(data) for message in framer.feed(piece)]
        except rpc.RpcError:
            return
        for message in messages:
            rpc.encode(message)
            if isinstance(message, rpc.Call) and message.verb in rpc.VERB_NAMES:
                try:
                    rpc.find_verb(message.verb).decode_arguments(message.arguments)
                except rpc.RpcError:
                    continue


class LabelTarget:
    """The label of a pool in a directory that somebody else may have filled."""

    name = "label"

    def seeds(self) -> Sequence[bytes]:
        """A label with two volumes."""
        volumes = [
            {"name": "vol", "size_bytes": 1 << 20, "block_bytes": 4096, "log": False,
             "partnership": ""},
            {"name": "log", "size_bytes": 1 << 23, "block_bytes": 4096, "log": True,
             "partnership": "11" * 16},
        ]  # fmt: skip
        label = {
            "fabric": "22" * 16, "array": "A", "pool": "PoolA", "kind": "file", "path": "/pool",
            "classification": "gold", "volumes": volumes, "schema": LABEL_SCHEMA,
        }  # fmt: skip
        return [json.dumps(label).encode()]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Other values in its fields, or characters changed."""
        seed = dice.choice(seeds)
        if dice.random() < 0.4:
            return mutated(dice, seed, seeds)
        try:
            label = json.loads(seed)
        except ValueError:
            return mutated(dice, seed, seeds)
        volumes = label.get("volumes") if isinstance(label, dict) else None
        for row in (label, *(volumes if isinstance(volumes, list) else ())):
            for key in list(row) if isinstance(row, dict) else ():
                if dice.random() < 0.15:
                    row[key] = _value(dice)
        return json.dumps(label).encode()

    def check(self, data: bytes) -> None:
        """A label that is taken names nothing but names: they become files of the pool."""
        try:
            label = labels._decode(Path("/pool/.srshell-pool"), data, PoolLabel, LABEL_SCHEMA)
        except SrError:
            return
        names = [label.pool, *(volume.name for volume in label.volumes)]
        if not all(map(is_name, names)):
            raise Violation(f"{names} are no names")
        sizes = [number for v in label.volumes for number in (v.size_bytes, v.block_bytes)]
        if any(not 0 < size < 2**63 for size in sizes):
            raise Violation(f"{sizes} are no sizes")
        msgspec.json.encode(label)
