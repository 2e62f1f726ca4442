"""Every command can be typed in IPython, and every line that a message names."""

import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from srshell.fabric.calls import parse_words
from srshell.fabric.commands import COMMANDS, CommandSpec, Effect
from srshell.model.codes import CODES
from srshell_magics.loaded import NAMES
from srshell_magics.names import MAGICS, as_magic, spoken_here

VERBS = [spec for spec in COMMANDS.values() if spec.effect is not Effect.RUNS]


def test_the_names_that_load_are_those_of_the_registry() -> None:
    """They are written down because importing the registry takes too long for `%load_ext`."""
    assert sorted(MAGICS) == list(NAMES)


@pytest.mark.parametrize("spec", VERBS, ids=lambda spec: spec.name)
def test_every_command_has_a_magic(spec: CommandSpec) -> None:
    """The example of a command means the same as a magic, through `%sr` and by its short names."""
    example = spec.example.removeprefix("srshell ").split()
    expected = parse_words(example)
    assert parse_words(MAGICS[example[0]].to_words(example[1:])) == expected
    assert parse_words(MAGICS["sr"].to_words(example)) == expected
    assert parse_words(MAGICS["sr"].to_words(["srshell", *example])) == expected
    arguments = example[len(expected.spec.words) :]
    for name in expected.spec.short_names:
        assert parse_words(MAGICS[name].to_words(arguments)) == expected


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("group", "PriRG", "group show PriRG"),
        ("group", "PriRG --data V --log L", "group create PriRG --data V --log L"),
        ("group", "PriRG --log=L --data V", "group create PriRG --log=L --data V"),
        ("group", "set PriRG --on-peer-loss io-error", "group set PriRG --on-peer-loss io-error"),
        ("group", "", "groups"),
        ("vm", "", "vms"),
        ("volume", "", "volumes"),
        ("job", "", "jobs"),
        ("job", "17 --wait", "job 17 --wait"),
        ("addvm", "V --volume X", "vm add V --volume X"),
        ("manage_pool", "A/B ./x", "manage-pool A/B ./x"),
    ],
)
def test_a_noun_shows_and_only_options_make(name: str, typed: str, words: str) -> None:
    """A typing error can never create a group."""
    assert MAGICS[name].to_words(typed.split()) == words.split()


@pytest.mark.parametrize(
    ("line", "magic"),
    [
        ("srshell pair A B", "%pair A B"),
        ("srshell group create G --data 'a b'", "%group create G --data 'a b'"),
        ("srshell stop", "%sr stop"),
        ("srshell demo --keep", "!srshell demo --keep"),
        ("srshell --help", "%sr --help"),
        ("srshell", "%sr"),
        ("type RecRG", "type RecRG"),
    ],
)
def test_a_line_is_told_as_it_is_typed_here(line: str, magic: str) -> None:
    """A mending line that IPython does not know would not mend."""
    assert as_magic(line) == magic


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("  mend   srshell pair A B", "  mend   %pair A B"),
        ("usage: srshell explain [-h] CODE", "usage: %explain [-h] CODE"),
        ("it is in `srshell jobs`; see srshell --help", "it is in `%jobs`; see %sr --help"),
        ("a later version of srshell status-wise", "a later version of srshell status-wise"),
        ("/opt/srshell demo, !srshell demo", "/opt/srshell demo, !srshell demo"),
    ],
)
def test_command_lines_in_a_text_are_told_as_they_are_typed_here(text: str, spoken: str) -> None:
    """Facts name commands too."""
    assert spoken_here(text) == spoken


def test_without_short_names_every_line_goes_through_sr() -> None:
    """The line that is shown has to work with what is switched on."""
    assert as_magic("srshell pair A B", short_names=False) == "%sr pair A B"


def test_every_mending_line_of_the_registry_can_be_typed() -> None:
    """The words after the percent sign are a magic."""
    for entry in CODES.values():
        line = as_magic(entry.mend) if entry.mend else "%explain"
        name = re.split(r"\s", line.removeprefix("%"))[0]
        assert line.startswith("!srshell ") or name in MAGICS, entry.code


def test_no_magic_of_ipython_is_taken(shell: InteractiveShell) -> None:
    """Nor one of the kernel, which are few."""
    assert not set(NAMES) & set(shell.magics_manager.magics["line"])
    assert not set(NAMES) & set(shell.magics_manager.magics["cell"])
    assert not set(NAMES) & {"connect_info", "qtconsole", "autosave", "edit", "less", "more"}
