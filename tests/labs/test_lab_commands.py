"""Labs as a person meets them: on the command line, in IPython, and graded by running again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from srshell.cli import main
from srshell.labs.grading import grade
from srshell.labs.notebook import make_notebook
from srshell.labs.shelf import LABS_HOME, find_lab
from srshell.model.errors import SrError
from srshell.model.report.labs import LabGradeRow
from tests.labs.answers import CLASSIFIED, UNDERSTOOD
from tests.magics.conftest import one_shell, shell

__all__ = ["one_shell", "shell"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home for labs; whatever was begun there is removed."""
    monkeypatch.setenv(LABS_HOME, str(tmp_path / "labs"))
    yield tmp_path / "labs"
    srshell("lab", "stop", "--remove")


def srshell(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "srshell", *words], capture_output=True, text=True, check=False
    )


def test_a_lab_on_the_command_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begin, look, check, work, check: by exit codes, as a script would."""

    def here(*words: str) -> tuple[int, str]:
        # The same command line without the price of a process.
        capsys.readouterr()
        code = main(list(words))
        return code, capsys.readouterr().out

    assert "srshell lab list" in srshell("lab", "task").stderr
    begun = srshell("--json", "lab", "start", "1", "--seed", "3")
    lab = json.loads(begun.stdout)
    assert begun.stderr == ""
    assert lab["fabric"] == str(home / "places" / "fabric")
    assert here("lab", "check", "1")[0] == 2  # nothing can be known yet
    monkeypatch.setenv("SRSHELL_FABRIC", lab["fabric"])
    good = [lab["facts"][name] for name in ("north", "east", "south", "west", "harbour")]
    rows = json.loads(here("--json", "identify", *good)[1])["candidates"]
    fit = [row for row in rows if not row["problems"] and not row["fabric"]]
    sound = {row["where"] for row in fit if row["honours_flush"]}
    first, second = sorted(sound or {row["where"] for row in fit})  # a home may lie in memory
    here("discover", first, "--as", "ClusterA", "--site", "redmond")
    here("discover", second, "--as", "ClusterB", "--site", "tokyo")
    assert here("lab", "check", "1")[0] == 1
    assert srshell("lab", "check", "--points").stdout == "3\n"


def test_a_lab_in_ipython(shell: InteractiveShell, home: Path) -> None:
    """The shell speaks to the sandbox after `%lab start`; facts can stand in a line."""
    shell.run_line_magic("load_ext", "srshell")
    lab = shell.run_line_magic("lab", "start 1 --seed 3")
    info = shell.run_line_magic("info", "")
    assert info.fabric == str(home / "places" / "fabric")
    assert info.sandbox
    shell.user_ns["lab"] = lab
    places = "$lab.north $lab.east $lab.south $lab.west $lab.harbour"
    found = shell.run_line_magic("identify", places)
    assert len(found) == 5
    checked = shell.run_line_magic("lab", "check 1")
    assert float(checked) == 0
    points = shell.run_line_magic("lab", "check 1 --points")
    assert (points, repr(points)) == (0, "0")
    assert shell.run_line_magic("lab", "")[0].name == "places"
    shell.run_line_magic("lab", "stop --remove")


def _answered(path: Path, first: str, second: str) -> Path:
    """The notebook of lab 1 with code in its rooms."""
    made = make_notebook(find_lab("places"), "nbgrader")
    rooms = {"task1": first, "task2": second}
    for cell in made["cells"]:
        cell["source"] = rooms.get(cell["id"], cell["source"])
    path.write_text(json.dumps(made))
    return path


_READ_OFF = "%discover $lab.north --as ClusterA --site redmond"


@pytest.mark.slow
def test_a_grade_is_what_a_notebook_reaches_under_other_seeds(tmp_path: Path) -> None:
    """What was understood works again; what was read off under one seed does not."""
    good = grade(_answered(tmp_path / "good.ipynb", UNDERSTOOD, CLASSIFIED), (12,))
    assert [row.problem for row in good] == [""]
    assert (good.points, good.points_of) == (7, 7)
    poor = grade(_answered(tmp_path / "poor.ipynb", _READ_OFF, ""), (11,))
    assert poor.points < 7
    assert poor.grades[0].seed == 11


def test_the_grade_is_the_worst_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it went well."""
    earned = {11: 7.0, 12: 4.5, 13: 7.0}

    def run(_notebook: Path, name: str, seed: int) -> LabGradeRow:
        return LabGradeRow(name, seed, earned[seed], 7.0, 1.0)

    monkeypatch.setattr("srshell.labs.grading._run", run)
    report = grade(_answered(tmp_path / "x.ipynb", "", ""), earned)
    assert (report.points, report.points_of, len(report)) == (4.5, 7.0, 3)


def test_what_is_no_notebook_of_a_lab_is_not_graded(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    for text in (None, "{", "{}", '{"metadata": {"srshell": 3}}'):
        if text is not None:
            path.write_text(text)
        with pytest.raises(SrError) as refused:
            grade(path, (1,))
        assert refused.value.code == "SR9804"
