"""The past: a moment looks the same whenever it is seen, and acts on nothing."""

from __future__ import annotations

import io
from pathlib import Path

import attrs
import pytest

from srshell.fabric.feed import Frame
from srshell.fabric.recorder import Segments, older
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell_tui.page_sheet import PageSheet
from srshell_tui.plain import tell_past
from srshell_tui.player import Player
from srshell_tui.reel import Reel, read_past, read_reel
from srshell_tui.store import Contact
from tests.tui import states
from tests.tui.gallery import reel
from tests.tui.steering import OPTIONS, TableClient, replay, text_of
from tests.tui.test_app import press, type_text

NOW = states.NOW


def test_a_moment_looks_the_same_however_one_came_there() -> None:
    """Forward step by step, or at once; near a kept view or far from it."""
    made = reel(200)
    walked = Reel(made.frames)
    views = [walked.view_at(index) for index in range(200)]
    for index in (0, 1, 63, 64, 65, 130, 199):
        assert Reel(made.frames).view_at(index) == views[index]
    assert {view.contact for view in views} == {Contact.PAST}


def test_torn_lines_and_what_needs_them_are_left_out(tmp_path: Path) -> None:
    """An owner was killed while it wrote; the next one wrote on behind the torn line."""
    lines = [encode(frame) for frame in reel(6).frames]
    whole = encode(attrs.evolve(reel(6).frames[0], unix=NOW + 60))
    path = tmp_path / "recording"
    path.write_bytes(b"\n".join([lines[0], lines[1], lines[2][:40], lines[3], b"", whole, b"{"]))
    found = read_reel(path)
    assert [frame.seq for frame in found.frames] == [1, 2, 1]
    with pytest.raises(SrError) as refused:
        read_reel(tmp_path / "none")
    assert refused.value.code == "SR0005"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12:04:33", 2.0),
        ("12:04", -31.0),
        ("23:59:59", -4 * 60 - 31 - 12 * 3600 - 1.0),  # yesterday's: it is not yet so late
        ("2026-03-02 12:04:35", 4.0),
        ("2026-03-02T12:04:35Z", 4.0),
        ("2s", 7.0),
    ],
)
def test_a_moment_is_told_as_a_person_tells_it(text: str, seconds: float) -> None:
    """The recording ends nine seconds after it began, at 12:04:40."""
    assert reel(10).moment_of(text) == NOW + seconds


def test_what_is_no_moment_is_refused() -> None:
    """With examples."""
    with pytest.raises(SrError) as refused:
        reel(3).moment_of("noon")
    assert "12:01:07" in refused.value.facts


def test_stepping_stops_the_time_and_playing_ends_at_the_end() -> None:
    """What is shown changes only when a person, or the time that a person let go on, wants it."""
    player = Player(reel(10), NOW)
    player.tick(5.0)
    assert player.index == 0
    player.play_or_pause()
    player.pace(1)
    player.tick(1.5)
    assert (player.index, player.playing, player.speed) == (3, True, 2.0)
    player.step(-1)
    assert (player.index, player.playing) == (2, False)
    player.to_event(1)
    assert player.index == 5
    player.to_event(1)
    assert player.index == 9
    player.to_event(-1)
    assert player.index == 5
    player.jump(-100)
    assert player.index == 0
    player.go_to(NOW + 100)
    assert player.index == 9
    player.play_or_pause()
    assert player.index == 0
    player.tick(100)
    assert (player.index, player.playing) == (9, False)


async def test_a_replay_is_steered_by_keys_and_asks_nobody() -> None:
    """Unmistakable on each screen; every key that would ask or change is refused with a code."""
    client = TableClient()
    app = replay(reel(10), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for key in "12345":
            await press(pilot, key)
            lines = text_of(app).splitlines()
            assert "REPLAY, not the present" in lines[0]
            assert lines[-2].startswith(" PAST")
        assert "10/10 paused" in text_of(app)
        await press(pilot, "1", "left", "left")
        assert "8/10" in text_of(app)
        await press(pilot, "T")
        await type_text(pilot, "12:04:32")
        await press(pilot, "enter")
        assert "2/10" in text_of(app)
        await press(pilot, "T")
        await type_text(pilot, "soon")
        await press(pilot, "enter")
        assert "soon is not a moment" in text_of(app)
        await press(pilot, "n", "space")
        assert "playing" in text_of(app)
        await press(pilot, "question_mark")
        assert "which acts on nothing" in text_of(app)
        await press(pilot, "escape")
        for key in ("F", "B", "p", "X", "K", "v", "P", "E"):
            await press(pilot, key)
            assert isinstance(app.screen, PageSheet), key
            assert "SR9011" in text_of(app)
            await press(pilot, "escape")
        await press(pilot, "colon")
        await type_text(pilot, "status")
        await press(pilot, "enter")
        assert "SR9011" in text_of(app)
    assert client.asked == []


def test_the_past_can_be_told_in_lines() -> None:
    """Each line with the time at which it was so."""
    out = io.StringIO()
    assert tell_past(reel(10), NOW + 3, OPTIONS, out) == 0
    lines = out.getvalue().splitlines()
    assert lines[0] == "12:04:34 replay: the past, not the present"
    assert "12:04:36 warning: PriRG SR5304 the log of PriRG is 41% full" in lines


def test_what_the_owner_keeps_is_bounded_and_begins_with_a_whole_picture(tmp_path: Path) -> None:
    """Two files; the older one is given up when the newer one is full."""
    path = tmp_path / "recording.jsonl"
    frames = [frame for _ in range(40) for frame in reel(10).frames]
    segments = Segments(path, segment_bytes=20_000)
    for frame in frames:
        if frame.whole or not segments.full:
            segments.add(frame)
    for file in (path, older(path)):
        assert file.stat().st_size < 20_000 + 10_000
        assert read_reel(file).frames[0].whole
    path.write_bytes(path.read_bytes() + b'{"seq": 3, "uni')
    Segments(path).add(attrs.evolve(frames[0], unix=NOW + 500))
    assert read_past(path).end_unix == NOW + 500


def test_a_recording_that_goes_on_with_another_fabric_begins_anew() -> None:
    """Nothing of the one is shown as the other's."""
    one = states.picture()
    other = Frame(1, NOW + 5, True, states.info(identity="e" * 32, sites=()))
    view = Reel((one, other)).view_at(1)
    assert view.contact is Contact.PAST
    assert not view.status
