"""The pages of the reference are what registry, reports and settings say now."""

from pathlib import Path

import pytest

from srshell.fabric.commands import FAMILIES
from tests.docs import commands_page
from tests.docs.fences import ROOT
from tests.docs.reference_pages import PAGES, VARIABLES


def test_the_page_is_up_to_date() -> None:
    """If not: `make docs`."""
    assert commands_page.PAGE.read_text(encoding="utf-8") == commands_page.render()


def test_every_command_that_a_person_types_has_a_section() -> None:
    """Hidden ones are started by the owner."""
    text = commands_page.render()
    for family in FAMILIES.values():
        for spec in family:
            assert (f"\n### {spec.name}\n" in text) is not spec.hidden


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_reference_page_says_what_the_code_says(page: Path) -> None:
    """`make docs` writes it again."""
    assert page.read_text(encoding="utf-8") == PAGES[page]()


def test_every_variable_of_the_reference_is_read_somewhere() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for package in ("srshell", "magics", "tui")
        for path in (ROOT / package).rglob("*.py")
    )
    assert not [name for name in VARIABLES if f'"{name}"' not in sources]
