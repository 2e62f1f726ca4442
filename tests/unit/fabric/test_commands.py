"""The command registry: complete, unambiguous, and fit to the verbs it names."""

from __future__ import annotations

import inspect
import re

import pytest

from srshell.fabric.api import FabricApi
from srshell.fabric.calls import build_parser, parse_line
from srshell.fabric.command_spec import CommandSpec, Effect
from srshell.fabric.commands import COMMANDS, FAMILIES, find_command
from srshell.fabric.verb import VERBS
from srshell.model.codes import CODES, ErrorCode

#: Verbs without a command of their own: forms of another command (provision, apply).
_WITHOUT_COMMAND = {"provision_pair", "run_plan"}


def test_every_verb_has_a_command() -> None:
    """What Python can do, the command line and the magics can do."""
    methods = {spec.method for spec in COMMANDS.values() if spec.method}
    assert methods | _WITHOUT_COMMAND == set(VERBS)


def test_names_are_unique() -> None:
    """Two commands never answer to the same words."""
    names = [spec.name for family in FAMILIES.values() for spec in family]
    short = [name for spec in COMMANDS.values() for name in spec.short_names]
    assert len({*names, *short}) == len(names) + len(short)


@pytest.mark.parametrize("spec", [s for s in COMMANDS.values() if s.method], ids=lambda s: s.name)
def test_every_argument_goes_to_a_parameter_of_its_verb(spec: CommandSpec) -> None:
    """A command cannot ask for what its verb does not take."""
    parameters = set(VERBS[spec.method].signature.parameters)
    if spec.name == "provision":
        parameters |= {"names", *VERBS["provision_pair"].signature.parameters}
    keywords = {argument.keyword for argument in (*spec.positionals, *spec.options)}
    keywords = {"wait" if word == "background" else word for word in keywords} - {"json"}
    keywords -= {"report_file"}  # who asks writes the page, not the owner
    assert keywords <= parameters, keywords - parameters


@pytest.mark.parametrize("spec", [s for s in COMMANDS.values() if s.method], ids=lambda s: s.name)
def test_effect_and_signature_agree(spec: CommandSpec) -> None:
    """What changes something takes dry_run and wait; what only looks takes neither."""
    parameters = VERBS[spec.method].signature.parameters
    assert ("dry_run" in parameters) == spec.changes
    assert ("confirm" in parameters) == bool(spec.confirms)
    if spec.waits:
        assert "timeout" in parameters


@pytest.mark.parametrize("spec", COMMANDS.values(), ids=lambda s: s.name)
def test_every_example_can_be_read(spec: CommandSpec) -> None:
    """A person copies the example first."""
    call = parse_line(spec.example)
    assert call.spec is spec
    assert build_parser(spec).format_help().startswith("usage: srshell")


@pytest.mark.parametrize("code", [c for c in CODES.values() if c.mend], ids=lambda c: c.code)
def test_every_mending_line_can_be_read(code: ErrorCode) -> None:
    """An error that tells what to type tells what can be typed."""
    typed = re.sub(r"\{(\w+)\}", _stand_in, code.mend)
    if "--help" in typed or "--version" in typed:
        assert find_command(typed.split()[1:]) is not None or "srshell --" in typed
        return
    parse_line(_plain(typed))


def _plain(line: str) -> str:
    """A line without the options of srshell itself."""
    return re.sub(r"--fabric \S+ ", "", line)


def _stand_in(match: re.Match[str]) -> str:
    """Something to type in place of a name."""
    word = match[1]
    if "size" in word or word in {"minimum", "rounded"}:
        return "64M"
    if word == "destination_mode":
        return "sync"
    return {"loss": "unknown", "command": "status"}.get(word, "Name")


def test_words_with_underscores_mean_the_same() -> None:
    """A magic is typed as a Python name."""
    found = find_command(["manage_pool", "A/P", "x"])
    assert found is not None
    assert found[0].name == "manage-pool"


def test_every_verb_that_changes_can_be_tried_without_effect() -> None:
    """No changing command is without --dry-run."""
    for spec in COMMANDS.values():
        if spec.effect in {Effect.CHANGES, Effect.WAITS, Effect.DESTROYS}:
            flags = {flag for argument in spec.options for flag in argument.flags}
            assert {"-n", "--dry-run", "--bg", "--json"} <= flags, spec.name


def test_verbs_say_what_they_do() -> None:
    """The sentence of a verb is what help shows."""
    for name, verb in VERBS.items():
        assert verb.sentence.endswith("."), name
        assert inspect.iscoroutinefunction(getattr(FabricApi, name)), name
