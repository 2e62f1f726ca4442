"""The topology test on the screen: asked for by a key or a line, written to files, mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srshell.model.errors import SrError
from srshell_tui.topology_sheet import TopologySheet
from tests.tui import gallery, topologies
from tests.tui.steering import TableClient, dashboard, text_of
from tests.tui.test_app import press, type_text


def written(directory: Path) -> list[str]:
    """What was written, by name."""
    return [path.read_text(encoding="utf-8") for path in sorted(directory.iterdir())]


async def test_a_key_measures_the_arrays_of_the_chosen_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it found can be written down, measured again, and left."""
    monkeypatch.chdir(tmp_path)
    client = TableClient({"topology": topologies.ready()})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "t")
        assert client.asked == [
            ("topology", {"source": "ClusterA", "destination": "ClusterB"}),
        ]
        assert "✔ READY" in text_of(app)
        await press(pilot, "w", "h")
        await press(pilot, "r", "pagedown")
        assert len(client.asked) == 2
        assert "first copy of 64 GiB" in text_of(app)
        await press(pilot, "escape")
        assert app.screen is app.board
    html, data = written(tmp_path)
    assert html.startswith("<!doctype html>")
    assert json.loads(data)["schema"] == "srshell.topology/1"


async def test_a_rule_that_does_not_hold_leads_to_what_mends_it() -> None:
    """As everywhere: one key takes the mending line."""
    client = TableClient({"topology": topologies.broken(), "volumes": SrError.make("SR9003")})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(140, 40)) as pilot:
        await press(pilot, "colon")
        await type_text(pilot, "topology ClusterA ClusterB --duration 4s")
        await press(pilot, "enter")
        assert isinstance(app.screen, TopologySheet)
        assert "SR2003" in text_of(app)
        await press(pilot, "m")
        assert client.asked[-1][0] == "volumes"


async def test_a_refused_test_shows_its_error() -> None:
    """With code and mending line."""
    client = TableClient({"topology": SrError.make("SR1107", array="ClusterX")})
    app = dashboard(gallery.sync(), client)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "t")
        assert "SR1107" in text_of(app)
