"""The page of commands is what the registry says now."""

from srshell.fabric.commands import FAMILIES
from tests.docs import commands_page


def test_the_page_is_up_to_date() -> None:
    """If not: `make docs`."""
    assert commands_page.PAGE.read_text(encoding="utf-8") == commands_page.render()


def test_every_command_that_a_person_types_has_a_section() -> None:
    """Hidden ones are started by the owner."""
    text = commands_page.render()
    for family in FAMILIES.values():
        for spec in family:
            assert (f"\n### {spec.name}\n" in text) is not spec.hidden
