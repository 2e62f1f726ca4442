"""The page about magics tells what there is."""

import re
from pathlib import Path

from srshell_magics.names import MAGICS
from srshell_magics.settings import SRShell

PAGE = Path(__file__).parents[2] / "docs" / "magics.md"


def test_the_page_names_every_setting() -> None:
    """And no other."""
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == set(SRShell.class_own_traits(config=True))


def test_the_page_names_only_magics_that_exist() -> None:
    """A renamed command must not live on in the page."""
    told = set(re.findall(r"`%(\w+)|\]: (?:\w+ = )?%(\w+)", PAGE.read_text(encoding="utf-8")))
    assert {a or b for a, b in told} <= {*MAGICS, "load_ext", "config"}
