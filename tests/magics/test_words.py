"""What is typed after a magic becomes words."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from srshell.model.errors import SrError
from srshell_magics.words import read_words
from tests.magics.samples import status_row

NAMES = {
    "east": Path("east side"),
    "row": status_row("PriRG"),
    "vols": ["Vol1", "Vol 2"],
    "d": {"a": "x", "b c": "y"},
    "place": SimpleNamespace(path=SimpleNamespace(name="deep")),
    "quote": """it's "so" \\""",
}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("A B", ["A", "B"]),
        ('"a b" c', ["a b", "c"]),
        ("$east --as A", ["east side", "--as", "A"]),
        ("failover $row", ["failover", "PriRG"]),
        ("$row.name x", ["PriRG", "x"]),
        ("$place.path.name", ["deep"]),
        ("--data $vols --log L", ["--data", "Vol1", "Vol 2", "--log", "L"]),
        ("{d['a']}", ["x"]),
        ('{d["b c"]}', ["y"]),
        ("{len(vols)}G", ["2G"]),
        ("{[v for v in vols if v in vols]}", ["Vol1", "Vol 2"]),
        ("$quote", ["""it's "so" \\"""]),
        ('"$quote"', ["""it's "so" \\"""]),
        ('"in $east."', ["in east side."]),
        ("'$east {x}'", ["$east {x}"]),
        ("$$east {{x}}", ["$east", "{x}"]),
        (r"\$east", ["$east"]),
        ("a$ 5$", ["a$", "5$"]),
        ("A B  # in sync", ["A", "B"]),
        ("./a#b", ["./a#b"]),
        ("A B;", ["A", "B"]),
        ("'a;'", ["a;"]),
        ("{open", ["{open"]),
        ("", []),
    ],
)
def test_a_line_becomes(line: str, words: list[str]) -> None:
    """A value is one word, however it is spelled; a list is one word for each item."""
    assert read_words(line, NAMES) == words


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("$nosuch", "SR0002", "$nosuch"),
        ('"$nosuch"', "SR0002", "$nosuch"),
        ("{nosuch}", "SR0002", "{nosuch}"),
        ("$row.nosuch", "SR0002", "$row.nosuch"),
        ("{1/0}", "SR0002", "{1/0}"),
        ("--host <HostName>", "SR0104", "<HostName>"),
        ('"open', "SR0001", "no closing quotation"),
    ],
)
def test_a_line_is_refused(line: str, code: str, text: str) -> None:
    """IPython would pass an unknown variable on as text, to become the name of something."""
    with pytest.raises(SrError) as refused:
        read_words(line, NAMES)
    assert refused.value.code == code
    assert text in refused.value.message


def test_a_mistyped_variable_is_told_its_nearest() -> None:
    """Only the user's own names are offered."""
    with pytest.raises(SrError) as refused:
        read_words("$eest", {**NAMES, "_east": 1})
    assert refused.value.facts == "did you mean: $east"
