"""`srshell demo` tells the truth, refuses what it cannot read, and leaves nothing behind."""

import random
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import needs
from tests.process.demo_runs import Ended, demo

_MIB = 1 << 20
#: Where Ctrl-C is pressed: while the owner starts, and in the first copy beside a writing machine.
#: After the source site was killed the terminal is closed.
_MOMENTS = {
    "sandbox": signal.SIGINT,
    "7  Refresh": signal.SIGINT,
    "the site's process was killed": signal.SIGHUP,
}
_PRESSED_TWICE = "7  Refresh"


def run(*words: str) -> Ended:
    with demo(*words) as running:
        return running.end()


def interrupted(words: str, image: Path) -> Ended:
    with demo("--image", str(image)) as running:
        running.interrupt_at(words, twice=words == _PRESSED_TWICE, by=_MOMENTS[words])
        return running.end()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk image of a size that is no whole number of MiB."""
    path = tmp_path_factory.mktemp("i") / "mine.img"
    path.write_bytes(random.Random(7).randbytes(2 * _MIB + 512))
    return path


@pytest.fixture(scope="module")
def kept(image: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Every long run, all at once: each waits most of its time."""
    with ThreadPoolExecutor() as runs:
        ends = {moment: runs.submit(interrupted, moment, image) for moment in _MOMENTS}
        whole = runs.submit(run)
        with demo("--image", str(image), "--keep") as running:
            own = running.end()
            sandbox = running.folder / "t" / own.folders[0]
            volumes = {
                name: (sandbox / name).read_bytes()[: image.stat().st_size]
                for name in ("east/PrimaryVol", "west/RecoveryVol")
            }
        found: dict[str, object] = {moment: end.result() for moment, end in ends.items()}
        return {**found, "whole": whole.result(), "own": own, "volumes": volumes}


def ended(kept: dict[str, object], name: str) -> Ended:
    found = kept[name]
    assert isinstance(found, Ended)
    return found


@pytest.mark.slow
def test_the_whole_way_without_a_terminal_loses_nothing(kept: dict[str, object]) -> None:
    """The main job: no questions, no root, exit 0, and a table that says so."""
    whole = ended(kept, "whole")
    assert (whole.code, whole.errors) == (0, "")
    rows = [line.strip("│ \n").split("│") for line in whole.output.splitlines() if "│" in line]
    table = {row[0].strip(): row[1].strip() for row in rows}
    assert table["acknowledged writes lost"] == "0"
    assert table["both sides equal"] == "yes"
    assert int(table["writes acknowledged"]) > 0
    assert not {"planned failover", "failback", "unplanned failover"} - table.keys()
    assert "not reached" not in table.values()
    assert "nothing was lost" in whole.output
    assert "\x1b" not in whole.output


@pytest.mark.slow
def test_every_step_of_the_article_is_a_command_with_its_result(kept: dict[str, object]) -> None:
    """What is printed can be typed."""
    lines = [line.strip() for line in ended(kept, "whole").output.splitlines()]
    typed = {line.split()[2] for line in lines if line.startswith("$ srshell ")}
    assert typed >= {
        *("identify", "discover", "classify", "pair", "provision", "group", "enable", "refresh"),
        *("wait", "status", "vm", "failover", "failback", "fault", "restart", "verify"),
    }


@pytest.mark.slow
def test_your_own_image_is_on_both_sides_afterwards(kept: dict[str, object], image: Path) -> None:
    """Read here from the files themselves, not believed from the demo's own words."""
    own = ended(kept, "own")
    assert (own.code, own.errors) == (0, "")
    assert "your image mine.img" in own.output
    volumes = kept["volumes"]
    assert isinstance(volumes, dict)
    assert set(volumes.values()) == {image.read_bytes()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "own", *_MOMENTS])
def test_no_process_and_no_folder_is_left(kept: dict[str, object], name: str) -> None:
    """Ctrl-C included, whenever it is pressed, and a terminal that is closed."""
    end = ended(kept, name)
    assert end.processes == ()
    assert len(end.folders) == (1 if name == "own" else 0), end.folders  # --keep keeps one
    if name in _MOMENTS:
        assert end.code == 130, end.output + end.errors
        assert "Traceback" not in end.output + end.errors


@pytest.mark.parametrize("kind", ["directory", "missing", "empty", "device"])
def test_what_is_no_image_is_refused(kind: str, tmp_path: Path) -> None:
    """With the file, the reason and what to do instead; and before anything is begun."""
    place = tmp_path / kind
    match kind:
        case "directory":
            place.mkdir()
        case "empty":
            place.touch()
        case "device":
            place = Path("/dev/null")
        case _:
            pass
    end = run("--image", str(place))
    assert end.code == 1
    assert end.errors.startswith(f"SR9222 {place} is not a readable regular file or block device.")
    assert "  facts  " in end.errors
    assert "  mend   srshell demo" in end.errors
    assert (end.output, end.folders, end.processes) == ("", (), ())


_AS_ORDINARY_USER = """
import os, sys
import srshell.cli.demo, srshell.cli.command_line as cli, srshell.cli.processes
cli.main(["--version"])
cli.main(["demo", "--image", os.curdir])  # what is loaded late may lie where others cannot read
print("---", file=sys.stderr)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(cli.main(["demo", "--image", sys.argv[1]]))
"""


def test_an_image_that_you_may_not_read_is_refused() -> None:
    """As an ordinary user: root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        secret = folder / "secret.img"
        secret.write_bytes(b"x" * 4096)
        secret.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", _AS_ORDINARY_USER, str(secret)],
            env={"PATH": "/usr/bin", "TMPDIR": name, "HOME": name},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done
        assert "---\n" in done.stderr, done
        refusal = done.stderr.partition("---\n")[2]
        assert refusal.startswith(f"SR9222 {secret} is not a readable")
        assert "Permission denied" in refusal
        assert [path.name for path in folder.iterdir()] == ["secret.img"]


@needs.tools("mke2fs", "e2fsck", "debugfs")
def test_the_data_set_is_a_file_system_whose_damage_is_seen(tmp_path: Path) -> None:
    """The demo's judge must be able to say no: of bytes, structure and contents."""
    from srshell.cli.demo.dataset import prepare  # noqa: PLC0415 - one test alone needs it

    data = prepare(tmp_path, None)
    assert data.files > 100
    copy = tmp_path / "copy.img"
    copy.write_bytes(data.path.read_bytes())
    assert data.check(copy) == []
    with copy.open("r+b") as file:
        file.seek(1024)
        file.write(bytes(1024))
    assert len(data.check(copy)) >= 2
