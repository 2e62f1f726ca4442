"""Names mean the same as a file name, an export name and a word of a command line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.model.errors import SrError
from srshell.model.identity import (
    check_identity,
    check_name,
    is_name,
    nearest,
    split_location,
    unknown,
)


@pytest.mark.parametrize("text", ["a", "0", "PrimaryVol", "a.b", "a..b", "x-1_2", "A" * 64])
def test_these_are_names(text: str) -> None:
    """Letters, digits, dots, dashes, underscores."""
    assert check_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "\na", "a\0", "é", "A" * 65, "../x",
     "Kelvin-\u212a", "a\u0301", "\uff21", "$x", "a*", "\u202ea"],
)  # fmt: skip
def test_these_are_not(text: str) -> None:
    """Paths, options, control characters, look-alikes, and what is too long."""
    with pytest.raises(SrError, match="SR0003"):
        check_name(text, "volume")


@given(st.text(max_size=80))
def test_a_name_is_never_a_path_and_always_normal(text: str) -> None:
    """Whatever is accepted is safe in all three places."""
    if is_name(text):
        assert "/" not in text
        assert text not in {".", ".."}
        assert unicodedata.normalize("NFC", text) == text
        assert text.isascii()
        assert text.isprintable()
        assert not text.startswith("-")


def test_the_error_says_what_is_wrong() -> None:
    """The character and where it stands, or the length."""
    facts = []
    for text in ("", "a/b", "A" * 65, ".a"):
        with pytest.raises(SrError) as raised:
            check_name(text, "pool")
        facts.append(raised.value.facts)
    assert facts == [
        "it is empty",
        "character '/' at position 2",
        "it has 65 characters, at most 64 are possible",
        "it begins with .",
    ]


def test_a_location_is_an_array_and_a_pool() -> None:
    """As in ``--on ClusterA/PoolA``."""
    assert split_location("ClusterA/PoolA") == ("ClusterA", "PoolA")
    for text in ("ClusterA", "/PoolA", "ClusterA/", "A/B/C"):
        with pytest.raises(SrError):
            split_location(text)


def test_an_identity_is_32_hexadecimal_digits() -> None:
    """Made by us, so anything else is our mistake."""
    assert check_identity("0" * 32) == "0" * 32
    for text in ("0" * 31, "G" * 32, "A" * 32, "0" * 32 + "\n"):
        with pytest.raises(ValueError, match="no identity"):
            check_identity(text)


def test_the_nearest_names_come_first() -> None:
    """Case does not matter in guessing, only in meaning."""
    assert nearest("prirg", ["RecRG", "PriRG"])[0] == "PriRG"
    assert nearest("xyz", ["PriRG"]) == ()


def test_an_unknown_name_is_answered_with_what_there_is() -> None:
    """At most eight names; none at all is said, too."""
    error = unknown("group", "PriRg", ["PriRG", "Other"])
    assert (error.code, error.facts) == ("SR0105", "known: PriRG")
    many = unknown("group", "zzz", [f"G{n}" for n in range(20)])
    assert many.facts.count("G") == 8
    assert unknown("group", "x", []).facts == "there is no group yet"
