"""A person at the keys: what is seen, what is asked of the owner, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from textual import events
from textual.geometry import Region
from textual.pilot import Pilot

from srshell.fabric.feed import Frame
from srshell.model.errors import SrError
from srshell.model.report import PlanReport, StatusReport, StepRow
from srshell_tui.app import Dashboard
from srshell_tui.link import Heard, Lost, Seeking
from srshell_tui.options import MONO
from srshell_tui.page_sheet import PageSheet
from srshell_tui.paper import Paper
from srshell_tui.scene import Look, couples
from srshell_tui.store import Contact
from srshell_tui.wizard import Stage, Wizard, failover
from srshell_tui.wizard_sheet import WizardSheet
from tests.tui import gallery, states
from tests.tui.steering import TableClient, dashboard, text_of

PLAN = gallery.plan()
DONE = gallery._DONE


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys, and let what they begin come to its end."""
    for key in keys:
        await pilot.press(key)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def type_text(pilot: Pilot[int], text: str) -> None:
    """Type letters into the line."""
    names = {" ": "space", "-": "minus", ":": "colon", "/": "slash"}
    await press(pilot, *(names.get(char, char) for char in text))


def failing_over(arguments: dict[str, object]) -> Any:  # noqa: ANN401
    return PLAN if arguments.get("dry_run") else DONE


async def test_the_terminal_shows_what_was_drawn() -> None:
    """The widgets add nothing and lose nothing."""
    app = dashboard(gallery.sync())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        agreed = (gallery.GOLDEN / "overview-sync-80x24.txt").read_text(encoding="utf-8")
        assert text_of(app) == agreed
        strips = [app.board.paper.render_line(y).text.rstrip() for y in range(24)]
        assert "\n".join(strips) + "\n" == agreed


async def test_only_cells_that_changed_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a slow line every byte counts; when nothing changes there is none."""
    painted: list[Region] = []
    app = dashboard(gallery.sync())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        monkeypatch.setattr(Paper, "refresh", lambda _self, *regions, **_: painted.extend(regions))
        view = app.view
        app.take(Heard(Frame(view.seq + 1, view.unix + 1, whole=False)))
        at_rest = list(painted)
        row = attrs.evolve(view.status["PriRG"], epoch=8, rpo_seconds=3.0)
        app.take(Heard(Frame(view.seq + 2, view.unix + 2, whole=False, status=(row,))))
        after = painted[len(at_rest) :]
    assert sum(region.area for region in at_rest) <= 12  # the rate of writes falls
    assert 0 < sum(region.area for region in after) <= 80
    assert {region.height for region in after} == {1}


async def test_a_chosen_row_stays_chosen_when_rows_come_and_the_owner_restarts() -> None:
    """Acting on the wrong group because a list moved would be the worst of faults."""
    app = dashboard(gallery.many())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "s", "down", "down", "down")
        assert app.board.chosen() == "Grp003"
        await press(pilot, "slash")
        await type_text(pilot, "Grp00")
        await press(pilot, "enter")
        app.take(Lost("the owner ended"))
        app.take(Seeking())
        rows = [attrs.evolve(row, epoch=9) for row in app.view.status.values()]
        rows.insert(0, attrs.evolve(states.side(), name="Grp000a", peer=None))
        again = states.picture(*rows, info=states.info(owner_pid=9, owner_term=4))
        app.take(Heard(again))
        await pilot.pause()
        assert app.board.chosen() == "Grp003"
        assert app.board.look.filter == "Grp00"
        assert "owner restarted" in text_of(app)


async def test_a_failover_runs_once_its_name_was_typed() -> None:
    """The wrong name does nothing; the right one sends the line that was shown."""
    client = TableClient({"failover": failing_over})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "F", "enter")
        assert "type RecRG to run it" in text_of(app)
        await type_text(pilot, "PriRG")
        await press(pilot, "enter")
        assert "nothing was done" in text_of(app)
        assert [asked["dry_run"] for _, asked in client.asked] == [True]
        await type_text(pilot, "RecRG")
        await press(pilot, "enter")
        assert "RecRG is primary (epoch 8)" in text_of(app)
        verb, arguments = client.asked[-1]
        assert verb == "failover"
        assert arguments == {"group": "PriRG", "kind": "planned", "confirm": "RecRG"}
        await press(pilot, "escape")
        assert app.screen is app.board


async def test_a_change_without_a_name_waits_on_cancel() -> None:
    """Enter alone changes nothing."""
    plan = PlanReport("suspend PriRG", (StepRow("suspend", "pause PriRG"),))
    answer = StatusReport((states.side(),))
    client = TableClient({"suspend": lambda a: plan if a.get("dry_run") else answer})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter", "p", "enter")
        assert app.screen is app.board
        assert len(client.asked) == 1
        await press(pilot, "p", "tab", "enter")
        assert client.asked[-1] == ("suspend", {"group": "PriRG"})
        assert "[5 result]" in text_of(app)


async def test_a_refusal_shows_its_rule_and_its_mending_line_can_be_taken() -> None:
    """The same error as everywhere, and the way on."""
    client = TableClient({"failover": gallery._REFUSED, "explain": gallery._REFUSED})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "F", "down", "enter")
        assert "Refused, nothing has changed" in text_of(app)
        assert "loss: 4.1 MiB" in text_of(app)
        client.answers["failover"] = lambda _: gallery.plan(lost_bytes=4299161)
        await press(pilot, "m")
        assert isinstance(app.screen, WizardSheet)
        assert app.screen.wizard.wanted == "RecRG 4299161"


async def test_a_read_only_session_changes_nothing() -> None:
    """Neither by keys, nor by a line, nor from the palette."""
    client = TableClient()
    app = dashboard(gallery.sync(), client, read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        for key in ("F", "B", "p", "X", "K", "P"):
            await press(pilot, key)
            assert "SR9003" in text_of(app)
            await press(pilot, "escape")
        for line in ("suspend PriRG", "job 17 --cancel", "teardown PriRG --confirm PriRG"):
            app.run_line(line)
            await pilot.pause()
            assert "SR9003" in text_of(app)
            await press(pilot, "escape")
    assert client.asked == []


async def test_the_line_speaks_the_grammar_of_the_shell() -> None:
    """Completed by the registry, read by its parser, answered with the shell's page."""
    client = TableClient({"status": StatusReport(states.both())})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "colon")
        await type_text(pilot, "sta")
        await press(pilot, "tab")
        await type_text(pilot, "P")
        await press(pilot, "tab")
        assert app.board.line.value == "status PriRG "
        await press(pilot, "enter")
        assert client.asked == [("status", {"group": "PriRG"})]
        assert "IsPrimary" in text_of(app)
        await press(pilot, "escape", "colon")
        await type_text(pilot, "r")
        await press(pilot, "tab")
        assert "refresh" in app.message
        assert "resume" in app.message
        await press(pilot, "escape")
        assert app.message == ""


async def test_a_line_that_cannot_be_read_says_so() -> None:
    """With the error of the shell; nothing is asked of the owner."""
    client = TableClient()
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        for line, code in (("statsu", "SR0001"), ("serve", "SR0108"), ("suspend", "SR0001")):
            app.run_line(line)
            await pilot.pause()
            assert code in text_of(app)
            await press(pilot, "escape")
    assert client.asked == []


async def test_a_fault_of_ours_is_an_error_with_a_code() -> None:
    """The screen stays; nobody sees a traceback."""
    app = dashboard(gallery.sync(), TableClient({"jobs": ValueError("boom")}))
    async with app.run_test(size=(80, 24)) as pilot:
        app.run_line("jobs")
        await press(pilot)
        assert "SR9999" in text_of(app)


async def test_another_fabric_is_followed_only_when_a_person_says_so() -> None:
    """The old picture stays until then."""
    app = dashboard(gallery.sync())
    async with app.run_test(size=(80, 24)) as pilot:
        app.take(Lost("the owner ended"))
        other = states.picture(*states.SPLIT, info=states.info(identity="e" * 32))
        app.take(Heard(other))
        app.take(Heard(Frame(2, states.NOW + 1, whole=False)))
        await pilot.pause()
        assert app.view.contact is Contact.STRANGER
        assert "another fabric answers" in text_of(app)
        await press(pilot, "a")
        app.take(Heard(other))
        await pilot.pause()
        assert "SplitBrain" in text_of(app)


async def test_views_are_reached_by_keys_and_left_the_way_they_came() -> None:
    """Drill-down, history, help; reserved keys do nothing."""
    app = dashboard(gallery.alone())
    async with app.run_test(size=(80, 24)) as pilot:
        for key, words in (("3", "Volumes ("), ("4", "follow ON"), ("5", "Jobs (")):
            await press(pilot, key)
            assert words in text_of(app)
        await press(pilot, "escape", "escape", "escape")
        assert app.board.look.screen == "overview"
        await press(pilot, "enter")
        assert "[WaitingForDestination]" in text_of(app)
        await press(pilot, "left_square_bracket", "right_square_bracket", "question_mark")
        assert "The group screen" in text_of(app)
        await press(pilot, "escape", "ctrl+q", "ctrl+s", "ctrl+c")
        assert app.is_running
        assert "q quits" in text_of(app)
        await press(pilot, "q")
    assert app.return_code == 0


async def test_the_palette_finds_commands_and_groups() -> None:
    """What changes something begins a line there and is not run."""
    client = TableClient()
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p")
        await type_text(pilot, "teardown")
        await press(pilot, "enter")
        assert app.screen is app.board
        assert app.board.line.value == "teardown "
    assert client.asked == []


async def test_every_size_is_survived() -> None:
    """From one cell to a wall of them, with a wizard open."""
    app = dashboard(gallery.alone(), TableClient({"failover": failing_over}))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "F")
        for width, height in ((1, 1), (20, 3), (79, 24), (80, 23), (200, 70), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
        assert "Which way" in text_of(app)


async def test_without_colour_nothing_is_coloured() -> None:
    """Also what Textual draws by itself."""
    app = dashboard(gallery.alone(), theme=MONO)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "colon")
        filters = app.get_line_filters()
        for y in range(24):
            strip = app.screen._compositor.render_strips()[y]
            for line_filter in filters:
                strip = strip.apply_filter(line_filter, app.board.background_colors[1])
            assert all(s.style is None or s.style.color is None for s in strip)


async def test_ascii_is_all_that_some_terminals_get() -> None:
    """Every sign has one of seven bits."""
    app = dashboard(gallery.alone(), look=Look("group", "PriRG"), ascii_only=True)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        assert text_of(app).isascii()
        assert "X Critical" in text_of(app)


async def test_leaving_a_wizard_leaves_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is told where it goes on."""
    app = dashboard(gallery.sync())
    async with app.run_test(size=(80, 24)) as pilot:
        sheet = WizardSheet(attrs.evolve(gallery.WIZARDS["run"](_planned()), stage=Stage.RUN))
        monkeypatch.setattr(WizardSheet, "carry_out", lambda _self: None)
        await app.push_screen(sheet)
        await press(pilot, "escape")
        assert app.screen is app.board
        assert "job 19 goes on" in text_of(app)


def _planned() -> Wizard:
    return failover(couples(gallery.sync())[0])


async def test_an_answer_that_is_an_error_is_a_page() -> None:
    """As the shell prints it."""
    error = SrError.make("SR0105", noun="group", name="X", facts="known: PriRG")
    app: Dashboard = dashboard(gallery.sync(), TableClient({"group": error}))
    async with app.run_test(size=(80, 24)) as pilot:
        app.run_line("group show X")
        await press(pilot)
        assert isinstance(app.screen, PageSheet)
        assert "SR0105" in text_of(app)


async def test_events_that_say_the_same_are_one_row() -> None:
    """It stays chosen when more of them happen; apart, each is a row of its own."""
    app = dashboard(gallery.repeated())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "down", "down")
        assert "▶ 12:01:11 WARN  PriRG        SR5304 (2 alike) the log of PriRG is 44%" in text_of(
            app
        )
        await press(pilot, "up", "up")
        before = app.board.chosen()
        event = states.event(8, "warning", "PriRG", "SR5304", "the log of PriRG is 70% full")
        app.take(Heard(Frame(2, states.NOW + 1, False, events=(event,))))
        await pilot.pause()
        assert app.board.chosen() == before
        assert "(5 alike) the log of PriRG is 70% full" in text_of(app)
        await press(pilot, "z")
        assert "alike)" not in text_of(app)
        assert len(app.board.drawing().rows) == 8


async def test_a_screen_is_exported_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As text and as a picture; a disk that is full is told of and keeps no half."""
    monkeypatch.chdir(tmp_path)
    app = dashboard(gallery.sync())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "x")
        picture, text = _files(tmp_path)
        assert "written: " in text_of(app)
        assert "PriRG>RecRG" in text.read_text(encoding="utf-8")
        assert picture.read_text(encoding="utf-8").startswith("<svg")
        text.unlink()
        picture.unlink()
        picture.symlink_to("/dev/full")
        await press(pilot, "x")
        assert "not written: No space left on device" in text_of(app)
        assert not _files(tmp_path)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_a_mouse_may_choose_and_open() -> None:
    """Rows, and nothing beside them; no key needs it."""
    app = dashboard(gallery.many(), look=Look(sort="name"))
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        await pilot.click(Paper, offset=(5, 12))
        chosen = app.board.chosen()
        line = text_of(app).splitlines()[12]
        assert line.startswith(f" ▶ {chosen}")
        assert chosen != "Grp000"
        for beside in ((120, 10), (5, 3), (5, 36)):
            await pilot.click(Paper, offset=beside)
            assert app.board.chosen() == chosen
        await _turn(pilot, events.MouseScrollUp)
        assert app.board.chosen() < chosen
        await _turn(pilot, events.MouseScrollDown)
        assert app.board.chosen() == chosen
        await pilot.click(Paper, offset=(5, 12))
        assert app.board.look.screen == "group"


async def _turn(pilot: Pilot[int], wheel: type[events.MouseEvent]) -> None:
    """Turn the wheel over the paper."""
    paper = pilot.app.screen.query_one(Paper)
    paper.post_message(
        wheel(paper, x=5, y=12, delta_x=0, delta_y=0, button=0, shift=False, meta=False, ctrl=False)
    )
    await pilot.pause()
