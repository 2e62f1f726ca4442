"""Manual pages say what the registry says, and can be read by man."""

import re
import subprocess
from pathlib import Path

import pytest

from srshell.cli.manual import command_page, overview_page, roff, write_pages
from srshell.fabric.command_spec import CommandSpec
from srshell.fabric.commands import COMMANDS
from tests import needs

SPECS = [spec for spec in COMMANDS.values() if not spec.hidden]
_MACROS = {".TH", ".SH", ".TP", ".B", ".nf", ".fi"}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_page_has_the_command_its_options_and_an_example(spec: CommandSpec) -> None:
    page = command_page(spec)
    assert roff(spec.summary) in page
    assert roff(spec.example) in page
    assert all(roff(flag) in page for a in spec.arguments for flag in a.flags)
    macros = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert macros <= _MACROS


def test_no_text_is_read_as_a_macro() -> None:
    assert roff(".B rm -rf \\x") == "\\&.B rm \\-rf \\ex"


def test_the_first_page_lists_every_command() -> None:
    page = overview_page()
    assert all(f".B {roff(spec.name)}\n" in page for spec in SPECS)


def test_pages_are_written_for_all_commands(tmp_path: Path) -> None:
    said = write_pages(str(tmp_path / "man1"))
    assert said == f"{len(SPECS) + 1} pages in {tmp_path / 'man1'}"
    assert (tmp_path / "man1" / "srshell-group-create.1").exists()


@needs.tools("groff")
def test_groff_has_nothing_to_complain_about(tmp_path: Path) -> None:
    write_pages(str(tmp_path))
    files = sorted(str(path) for path in tmp_path.glob("*.1"))
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not re.sub(r".*cannot adjust.*\n|.*can't break.*\n", "", done.stderr)
