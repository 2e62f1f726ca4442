"""The error registry is complete, unambiguous, and fit to be read."""

import re
import string

import pytest

from srshell.fabric.calls import parse_line
from srshell.model.codes import CODES, FAMILIES, ErrorCode, Severity, all_codes
from srshell.model.codes.entry import read_entries

EACH = pytest.mark.parametrize("entry", all_codes(), ids=lambda entry: entry.code)

#: Codes that scripts know from the first release on, and the rule of the article behind them.
STABLE = {
    "SR0002": None,
    "SR0101": None,
    "SR0103": 42,
    "SR0104": None,
    "SR1001": 18,
    "SR1002": 27,
    "SR1003": 8,
    "SR1004": 24,
    "SR1006": 16,
    "SR1105": None,
    "SR1106": 27,
    "SR2001": 9,
    "SR2002": 10,
    "SR2003": 11,
    "SR2004": None,
    "SR2005": 33,
    "SR2006": 5,
    "SR3001": 41,
    "SR3003": 3,
    "SR3004": 20,
    "SR4002": 49,
    "SR5101": 55,
    "SR5304": None,
    "SR6001": 59,
    "SR6003": None,
    "SR6004": None,
    "SR6005": 67,
    "SR6006": 69,
    "SR6007": 73,
    "SR6009": None,
    "SR6010": None,
    "SR7001": 75,
    "SR7702": None,
    "SR8001": 15,
    "SR8003": 13,
    "SR9001": None,
    "SR9003": None,
    "SR9900": None,
    "SR9901": None,
}


def names_in(text: str) -> set[str]:
    """The names that a template asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_code_is_unique() -> None:
    """One code, one meaning."""
    codes = [entry.code for entry in all_codes()]
    assert len(codes) == len(set(codes)) == len(CODES)


def test_codes_are_listed_in_order() -> None:
    """The documentation lists them as they stand."""
    codes = [entry.code for entry in all_codes()]
    assert codes == sorted(codes)


@EACH
def test_a_code_has_four_digits_and_a_family(entry: ErrorCode) -> None:
    """SR and four digits; the first one says where it belongs."""
    assert re.fullmatch(r"SR\d{4}", entry.code)
    assert entry.family == FAMILIES[entry.code[2]]


@EACH
def test_an_entry_is_complete(entry: ErrorCode) -> None:
    """A sentence, a rule, and a text for `explain`."""
    assert entry.message.endswith(".")
    assert entry.message[0].isupper() or entry.message[0] == "{"
    assert entry.rule
    assert not entry.rule.endswith(".")
    assert entry.explanation.endswith(".")
    assert entry.article_rule is None or 1 <= entry.article_rule <= 81


@EACH
def test_a_mending_line_can_be_read_once_its_names_are_filled_in(entry: ErrorCode) -> None:
    """A line that does not parse would be worse than none."""
    if not entry.mend:
        return
    values = {"loss": "unknown", "seconds": "5"}
    names = {name: values.get(name, "64M" if "size" in name else "Name") for name in
             names_in(entry.mend)}  # fmt: skip
    names |= {name: "64M" for name in ("minimum", "rounded") if name in names}
    names |= {"destination_mode": "sync"} if "destination_mode" in names else {}
    assert parse_line(entry.mend.format(**names)).method or entry.mend.split()[1] in {
        "serve",
        "stop",
        "demo",
        "lab",
    }


@pytest.mark.parametrize(("code", "rule"), STABLE.items())
def test_a_published_code_keeps_its_meaning(code: str, rule: int | None) -> None:
    """Scripts outside this repository match on them."""
    assert CODES[code].article_rule == rule


def test_warnings_and_events_are_told_from_errors() -> None:
    """Three severities, all in use."""
    assert {entry.severity for entry in all_codes()} == set(Severity)


def test_a_paragraph_that_is_no_entry_is_refused() -> None:
    """A table that cannot be read must not start."""
    with pytest.raises(ValueError, match="no entry"):
        read_entries("SR12 error: Too short.\n    rule  none")
