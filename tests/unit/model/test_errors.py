"""An error is the same on every surface and never raises another."""

import pickle

import pytest

from srshell.model.errors import SrError


def example() -> SrError:
    """Two arrays of different types."""
    return SrError.make("SR2006", facts="A is file, B is volume", a="A", b="B", where="/disks/b")


def test_an_error_reads_as_four_lines() -> None:
    """Code and sentence, rule, facts, mend."""
    assert example().lines() == [
        "SR2006 A and B are different types of storage.",
        "  rule   source and destination have the same type of storage, file or volume (R5)",
        "  facts  A is file, B is volume",
        "  mend   srshell identify /disks/b",
    ]
    assert str(example()) == "SR2006 A and B are different types of storage."


def test_lines_without_content_are_left_out() -> None:
    """No facts, no line."""
    assert len(SrError("SR9999", "Something is wrong.").lines()) == 1


def test_a_shell_prints_the_lines_in_place_of_a_traceback() -> None:
    """IPython asks for exactly this method."""
    assert example()._render_traceback_() == example().lines()


def test_an_error_survives_the_way_through_json_and_pickle() -> None:
    """It crosses sockets and processes."""
    error = example()
    assert SrError.from_json(error.to_json()) == error
    assert pickle.loads(pickle.dumps(error)) == error  # noqa: S301 - our own bytes
    assert hash(pickle.loads(pickle.dumps(error))) == hash(error)  # noqa: S301 - our own bytes


def test_unknown_and_missing_fields_of_an_error_do_no_harm() -> None:
    """The other side may be newer, or broken."""
    error = SrError.from_json({"code": "SR1234", "new": 1, "article_rule": "five"})
    assert (error.code, error.message, error.article_rule) == ("SR1234", "", None)


def test_a_missing_name_is_shown_and_the_mend_explains_the_code() -> None:
    """An error must not raise another one."""
    error = SrError.make("SR2006", a="A")
    assert error.message == "A and ? are different types of storage."
    assert error.mend == "srshell explain SR2006"


def test_the_rule_can_be_told_where_a_code_serves_several() -> None:
    """Block sizes of data volumes are R10, of logs R12."""
    assert SrError.make("SR2002").article_rule == 10
    assert SrError.make("SR2002", article_rule=12).article_rule == 12


def test_an_unknown_code_is_our_mistake() -> None:
    """Codes are written down before they are used."""
    with pytest.raises(KeyError):
        SrError.make("SR0000")


def test_the_repr_names_the_code() -> None:
    """Logs are read in a hurry."""
    assert repr(example()).startswith("SrError('SR2006', ")
    assert example() != "SR2006"


@pytest.mark.parametrize(("noun", "said"), [("array", "a name for an array"), ("group", "a group")])
def test_a_sentence_has_the_article_of_its_noun(noun: str, said: str) -> None:
    assert said in str(SrError.make("SR0003", text="x", noun=noun))
