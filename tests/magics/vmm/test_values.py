"""Properties, comparisons and methods as PowerShell has them."""

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.states import ReplicationState
from srshell_magics.vmm.values import call, compare, items_of, name_of, property_of


@attrs.frozen
class Thing:
    name: str
    is_primary: bool = True
    size_bytes: int = 4096
    state: ReplicationState = ReplicationState.SYNCHRONIZING

    def grow(self) -> None:
        """A method is no property."""


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("Name", "a"),
        ("ISPRIMARY", True),
        ("Capacity", 4096),
        ("State", "Synchronizing"),
        ("grow", None),
        ("Nothing", None),
    ],
)
def test_a_property_is_found_whatever_its_capital_letters(typed: str, value: object) -> None:
    assert property_of(Thing("a"), typed) == value
    assert property_of({"Name": "a", "IsPrimary": True, "Size_Bytes": 1}, "sizebytes") == 1


def test_a_list_has_the_properties_of_its_items() -> None:
    assert property_of([Thing("a"), Thing("b")], "name") == ["a", "b"]
    assert property_of([Thing("a"), Thing("b")], "Count") == 2
    assert property_of(None, "name") is None
    assert property_of("four", "Length") == 4


def test_an_object_stands_for_its_name() -> None:
    assert name_of(Thing("a")) == name_of([Thing("a")]) == name_of("a") == "a"
    assert name_of(None) == name_of([Thing("a"), Thing("b")]) == ""


def test_nothing_is_no_item() -> None:
    assert items_of(None) == []
    assert items_of("text") == ["text"]
    assert items_of((1, 2)) == [1, 2]


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [
        ("eq", "PriRG", "prirg"),
        ("eq", 5, "5"),
        ("ne", "a", "b"),
        ("gt", 10, "9"),
        ("ge", 5, 5),
        ("lt", "a", "B"),
        ("le", 1.5, 2),
        ("like", "PriRG", "pri*"),
        ("notlike", "PriRG", "rec*"),
        ("match", "PriRG", "^p.*g$"),
        ("notmatch", "PriRG", "x"),
        ("contains", ["a", "b"], "B"),
        ("notcontains", ["a"], "b"),
        ("in", "a", ["A"]),
        ("notin", "c", ["a"]),
    ],
)
def test_comparisons_hold(operator: str, left: object, right: object) -> None:
    assert compare(operator, left, right)


def test_nothing_is_neither_more_nor_less() -> None:
    assert not compare("gt", None, 1)
    assert not compare("lt", None, 1)


@pytest.mark.parametrize(
    ("method", "arguments", "value"),
    [
        ("EndsWith", ["RG"], True),
        ("startswith", ["x"], False),
        ("ToLower", [], "prirg"),
        ("Replace", ["Pri", "Rec"], "RecRG"),
    ],
)
def test_text_has_methods(method: str, arguments: list[object], value: object) -> None:
    assert call("PriRG", method, arguments) == value


@pytest.mark.parametrize(
    ("value", "method", "arguments"),
    [("a", "EndWith", ["b"]), ("a", "Replace", []), (None, "x", [])],
)
def test_what_text_cannot_do_is_refused(
    value: object, method: str, arguments: list[object]
) -> None:
    with pytest.raises(SrError) as refused:
        call(value, method, arguments)
    assert refused.value.code == "SR0001"
