"""Reports print well in a terminal and in a notebook, with the same fields in both."""

import importlib
import json
import typing
from html.parser import HTMLParser

import attrs
import pytest
from IPython.core.interactiveshell import InteractiveShell

from srshell.fabric import reports as fabric_reports
from srshell.fabric.api import FabricApi
from srshell.fabric.command_spec import CommandSpec
from srshell.fabric.commands import COMMANDS
from srshell.fabric.pages import Page
from srshell.model.inventory import Event
from srshell.model.report import REPORTS, EventsReport, StatusReport, plots
from srshell_magics import display
from srshell_magics.formatters import SHOWN
from srshell_magics.front import fitting
from srshell_magics.settings import SRShell
from tests.magics.samples import (
    CHECK,
    COPYING,
    PAIR,
    PLAN,
    STATUS,
    FakeFabric,
    done,
    filled,
    job,
    status_row,
)

SAMPLES = [
    StatusReport(()),
    PAIR,
    PLAN,
    STATUS,
    COPYING,
    CHECK,
    job(),
    done(PAIR),
    status_row(),
    job().job,
]


class _Texts(HTMLParser):
    """The text of every element, in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts += data.split()


@pytest.mark.parametrize("report", SAMPLES, ids=lambda report: type(report).__name__)
def test_text_and_html_have_the_same_fields_in_the_same_order(report: object) -> None:
    """A saved notebook and a terminal tell the same story."""
    page = display.make_page(display.to_json(report))
    assert _Texts(display.to_html(page)).texts == display.to_text(page).split()


def _reports() -> set[type]:
    """Every class that a command may return."""
    values = [*vars(fabric_reports).values(), *vars(plots).values(), *REPORTS.values()]
    classes = [each for each in values if isinstance(each, type) and attrs.has(each)]
    return {each for each in classes if "schema" in attrs.fields_dict(each)}


@pytest.mark.parametrize("kind", sorted(_reports(), key=str))
def test_no_field_is_in_one_form_alone(kind: type) -> None:
    """With something in every field; a terminal may fold a column, or repeat its heading."""
    page = display.make_page(display.to_json(filled(kind)))
    shown = display.to_text(page).split()
    assert set(_Texts(display.to_html(page)).texts) == set(shown)
    assert shown


@pytest.mark.parametrize("spec", COMMANDS.values(), ids=lambda spec: spec.name)
def test_what_a_command_returns_has_both_forms(spec: CommandSpec) -> None:
    """So whoever adds a command with a report of its own adds both."""
    if spec.method:
        verb = getattr(FabricApi, spec.method)
        returned = typing.get_type_hints(verb)["return"]
        assert set(typing.get_args(returned) or (returned,)) <= _reports()


def test_html_is_escaped_and_runs_nothing() -> None:
    """A path or an error text may hold anything."""
    page = Page("<b>&", ("<i>",), (("<script>x</script>",), ("\"'",)), ("<img src=x>",))
    html = display.to_html(page)
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    assert _Texts(html).tags == {"div", "p", "b", "pre", *table}
    assert "<script" not in html
    assert "<img" not in html


def test_no_text_moves_the_cursor() -> None:
    """A name that came from elsewhere could otherwise recolour or overwrite what stands above."""
    event = Event(1, 2.0, "info", "a\x1b[2Jb", "SR0100", "line\rover\u202e\x9b1A")
    shown = display.bundle(EventsReport((event,)))
    for form in ("text/plain", "text/html"):
        assert all(c == "\n" or c.isprintable() for c in shown[form])


def test_sentences_fold_in_their_column() -> None:
    """A table of events stays a table."""
    page = Page("", ("TIME", "OBJECT", "WHAT"), (("12:00", "PriRG", "one word " * 20),), ())
    lines = display.to_text(page).splitlines()
    assert max(len(line) for line in lines) <= display.WIDTH
    assert lines[1].startswith("12:00  PriRG   one word")
    assert lines[2].startswith(" " * 15 + "one word")
    assert sorted(_Texts(display.to_html(page)).texts) == sorted(" ".join(lines).split())


def test_a_table_of_long_words_is_shown_row_by_row() -> None:
    """Nothing is cut, and nothing wraps in the middle of a name."""
    page = Page("", ("NAME", "WHAT"), (("a" * 40, "b" * 60), ("c", "d")), ())
    lines = display.to_text(page).splitlines()
    assert lines == [f"NAME  {'a' * 40}", f"WHAT  {'b' * 60}", "", "NAME  c", "WHAT  d"]


def test_long_sentences_wrap_and_lines_to_be_typed_do_not() -> None:
    """A mending line is copied as one line."""
    mend = f"  mend   srshell wait {'G' * 60} --until Synchronizing"
    lines = display.to_text(Page(lines=("word " * 30, mend))).splitlines()
    assert all(len(line) <= display.WIDTH for line in lines[:-1])
    assert lines[-1] == mend


def test_a_mend_in_a_report_is_told_as_a_magic() -> None:
    """The command line's form would be a syntax error in a cell."""
    data = {"schema": "srshell.why/1", "object": "G", "chain": ["x"], "mend": "srshell resume G"}
    assert display.make_page(data).lines[-1] == "mend   %resume G"


def test_the_status_fits_a_terminal_of_80_columns() -> None:
    """The longest state beside the longest health."""
    rows = tuple(
        status_row(name, is_primary=name == "PriRG", replication_state=state)
        for name, state in (("PriRG", "WaitingForDestination"), ("RecRG", "PreparedForFailover"))
    )
    text = display.bundle(StatusReport(rows))["text/plain"]
    assert max(len(line) for line in text.splitlines()) <= display.WIDTH
    assert text.splitlines()[0].split()[:4] == [
        "GROUP", "IsPrimary", "ReplicationState", "ReplicationHealth",
    ]  # fmt: skip


def test_only_so_many_rows_are_shown_as_were_asked_for() -> None:
    """A thousand events in a saved notebook help nobody; the object still holds them all."""
    events = tuple(Event(n, 2.0, "info", "x", "SR0100", f"event-{n}") for n in range(5))
    shown = display.bundle(EventsReport(events), SRShell(display_limit=2))
    for form in ("text/plain", "text/html"):
        assert "event-1" in shown[form]
        assert "event-2" not in shown[form]
        assert "3 more rows" in shown[form]
    assert len(shown[display.JSON_TYPE]["events"]) == 5


def test_signs_become_ascii_where_nothing_else_can_be_shown() -> None:
    """An old terminal must not turn a result into an encoding error."""
    assert fitting("↳ a ● — é", "ascii") == "-> a * - ?"
    assert fitting("↳ a ● — é", "latin-1") == "-> a * - é"
    assert fitting("↳ é", "utf-8") == "↳ é"
    assert "→" not in display.bundle(STATUS, SRShell(ascii=True))["text/plain"]


def test_every_report_is_registered() -> None:
    """The names are written down so that loading imports no report."""
    shown = {f"{module}.{name}" for module, names in SHOWN.items() for name in names}
    known = {f"{cls.__module__}.{cls.__name__}" for cls in _reports()}
    assert known <= shown
    for module, names in SHOWN.items():
        assert all(hasattr(importlib.import_module(module), name) for name in names)


def test_a_shell_shows_reports_from_anywhere(shell: InteractiveShell, fabric: FakeFabric) -> None:
    """`srshell.connect()` returns the same objects as the magics do."""
    shell.user_ns["report"] = STATUS
    formats, _ = shell.display_formatter.format(STATUS)  # type: ignore[union-attr]
    assert formats["text/plain"].startswith("GROUP")
    assert "<table>" in formats["text/html"]
    assert json.loads(json.dumps(formats[display.JSON_TYPE]))["schema"] == "srshell.status/1"
    shell.run_line_magic("unload_ext", "srshell")
    formats, _ = shell.display_formatter.format(STATUS)  # type: ignore[union-attr]
    assert set(formats) == {"text/plain"}
    assert formats["text/plain"].startswith("StatusReport(")
