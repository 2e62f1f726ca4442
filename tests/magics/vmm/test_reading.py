"""A cell becomes statements, a statement a node; what cannot be read is refused whole."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.model.errors import SrError
from srshell_magics.vmm import nodes
from srshell_magics.vmm.mending import is_prose, mended
from srshell_magics.vmm.reading import read
from srshell_magics.vmm.statements import Statement, statements
from tests.magics.vmm.lines import LINES


def texts(cell: str) -> list[str]:
    return [statement.text for statement in statements(cell)]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("$a = 1; $b = 2\n$c = 3", ["$a = 1", "$b = 2", "$c = 3"]),
        ("Get-A `\n  -Name x", ["Get-A    -Name x"]),
        ("Get-A |\n  fl", ["Get-A |   fl"]),
        ("Get-A | where {\n$_.x -eq 1\n}", ["Get-A | where { $_.x -eq 1 }"]),
        ("$a = 'x;y' # the rest; is a comment\n# so is this\n\n", ["$a = 'x;y'"]),
        ('$a = "two\nlines', ['$a = "two', "lines"]),
        ('$a = "it`"s; one"', ['$a = "it`"s; one"']),
        ("Get-A a,\n  b", ["Get-A a,   b"]),
        ("Set-A \u201cx\u201d \u2013Name y", ['Set-A "x" -Name y']),
        ("a#b", ["a#b"]),
        ("", []),
    ],
)
def test_a_cell_is_cut_where_nothing_is_open(cell: str, found: list[str]) -> None:
    assert texts(cell) == found


def test_a_statement_knows_its_line() -> None:
    """Counted from one, comments and empty lines too."""
    cell = "# first\n\n$a = 1\nGet-A `\n  -B\n$c = 3"
    assert [(each.line, each.text[:2]) for each in statements(cell)] == [
        (3, "$a"),
        (4, "Ge"),
        (6, "$c"),
    ]


@given(st.text(alphabet="$ab=|{}()[]'\"`;#\n -.,<>", max_size=60))
def test_any_text_is_cut_and_read_or_refused(text: str) -> None:
    """Nothing but a refusal comes out of the reader, and cutting loses no line."""
    for statement in statements(text):
        assert 1 <= statement.line <= text.count("\n") + 1
        with suppress(SrError):
            read(statement.text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64MB", 64 << 20),
        ("1.5gb", 3 << 29),
        ("0x10", 16),
        ("-5", -5),
        ("2.5", 2.5),
        ("'it''s'", "it's"),
        ('"plain"', "plain"),
        ('"a`nb"', "a\nb"),
    ],
)
def test_literals_are_values(text: str, value: object) -> None:
    assert read(text) == nodes.Literal(value)  # type: ignore[arg-type]


def test_text_between_double_quotes_has_variables() -> None:
    """Between single quotes it has none."""
    assert read('"a $b ${c d}e"') == nodes.Text(
        (
            nodes.Literal("a "),
            nodes.Variable("b"),
            nodes.Literal(" "),
            nodes.Variable("c d"),
            nodes.Literal("e"),
        )
    )
    assert read("'a $b'") == nodes.Literal("a $b")


def test_a_command_has_parameters_and_values() -> None:
    node = read('Set-A -Name PriRG -Confirm:$false $x.name "y" a,b <Host>')
    assert isinstance(node, nodes.Command)
    assert node.arguments == (
        nodes.Argument("Name"),
        nodes.Argument("", nodes.Literal("PriRG")),
        nodes.Argument("Confirm", nodes.Variable("false")),
        nodes.Argument("", nodes.Member(nodes.Variable("x"), "name")),
        nodes.Argument("", nodes.Literal("y")),
        nodes.Argument("", nodes.Items((nodes.Literal("a"), nodes.Literal("b")))),
        nodes.Argument("", nodes.Placeholder("Host")),
    )


def test_operators_bind_as_in_powershell() -> None:
    """Comparison before -and before -or; -not before both."""
    node = read("-not $a -and $b -eq 1 -or $c")
    left = nodes.Operation(
        "and",
        nodes.Operation("not", None, nodes.Variable("a")),
        nodes.Operation("eq", nodes.Variable("b"), nodes.Literal(1)),
    )
    assert node == nodes.Operation("or", left, nodes.Variable("c"))


@pytest.mark.parametrize("text", ["$a =", "Get-A |", "| fl", "Get-A )", "$ $x = 1", "{ $a }", "a'"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SrError) as refused:
        read(text)
    assert refused.value.code == "SR0001"


def test_every_line_of_the_article_can_be_read_once_it_is_mended() -> None:
    """Eight of them are broken; each says what was wrong, and no other line is touched."""
    broken = []
    for statement in statements(LINES):
        done = mended(statement.text)
        read(done.text)
        if done.why:
            broken.append(statement.line)
        else:
            assert done.text == statement.text
    assert len(broken) == 7
    assert len([each for each in statements(LINES) if "<HostName>" in each.text]) == 1


def test_the_two_garbled_lines_are_the_two_pools() -> None:
    lines = [mended(each.text).text for each in statements(LINES)]
    assert lines[2] == "$PriPool = Get-SCStoragePool -Name $PriPoolName"
    assert lines[3] == "$RecPool = Get-SCStoragePool -Name $RecPoolName"


@pytest.mark.parametrize(
    "dressed",
    [
        "PS C:\\Users\\admin> $a = 1 `\r\n>> + 2\r\nPS C:\\Users\\admin> $b",
        "PS> $a = 1 +\t`\n>> 2\nPS> $b\nPS> ",
        "[vmm01]: PS C:\\> $a = 1 `  \n  + 2\n[vmm01]: PS C:\\>$b",
        "```powershell\n$a = 1 `\n  + 2\n```\n\n~~~\n$b\n~~~",
    ],
)
def test_what_stands_around_a_line_is_no_part_of_it(dressed: str) -> None:
    """Prompts of a console, fences of a page, the line ends of another system."""
    found = ["".join(each.text.split()) for each in statements(dressed, is_prose)]
    assert found == ["$a=1+2", "$b"]


def test_a_garbled_line_is_known_however_it_is_folded() -> None:
    for line in filter(None, LINES.splitlines()):
        folded = line.replace(" -Name", " `\n\t -Name").replace(" - Name", " -  Name")
        (whole,) = statements(folded)
        assert mended(whole.text).why == mended(line).why


@pytest.mark.parametrize(
    "line",
    [
        "1. Open the VMM console.",
        "Pair the primary and secondary storage arrays; use the names.",
        "* Hyper-V must be running",
        "> Applies to",
        "[Learn more](there)",
        "<!-- a note -->",
    ],
)
def test_prose_is_known(line: str) -> None:
    assert is_prose(line)
    assert statements(f"{line}\n$a = 1", is_prose) == [Statement("$a = 1", 2)]


@pytest.mark.parametrize(
    "line",
    [
        "Get-SCStorageArray",
        "RecArray = Get-SCStorageArray - Name $RecArrayName",
        "Get replication status Get-SCReplicationGroup | fl Name",
        "$a = 1",
        "Set-SCReplicationGroup -Operation TearDown",
        "Frobnicate-Thing -Name x",
    ],
)
def test_commands_are_no_prose(line: str) -> None:
    assert not is_prose(line)
