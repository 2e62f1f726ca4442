"""A code is explained where no owner runs, and none is started for it."""

import json
from pathlib import Path

import pytest

from srshell.cli import main
from srshell.model.codes import CODES


def test_every_code_is_explained_without_an_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "fabric"
    for code in CODES:
        assert main(["--fabric", str(place), "--json", "explain", code]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["code"] == code
        assert report["rule"]
        assert report["explanation"]
    assert not place.exists()


def test_a_code_that_is_not_there_names_near_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--fabric", str(tmp_path / "fabric"), "explain", "SR6090"]) == 1
    assert "did you mean" in capsys.readouterr().err
