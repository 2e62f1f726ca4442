"""A site's process is on its own, and ends in good order when it is told to."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from srshell.backends import launch
from srshell.model.errors import SrError
from srshell.site.client import SiteClient
from srshell.site.process import main
from srshell.site.process_lock import ProcessMark, living_site
from srshell.site.rundir import run_directory
from srshell.site.settings import SiteSettings
from srshell.storage import LockFile
from tests import needs
from tests.unit.backends.fabric import IDENTITY


@pytest.fixture
def settings(place: Path) -> SiteSettings:
    return SiteSettings("A", IDENTITY, place / "sites" / "A", run_directory(place), owner_term=3)


def _client(settings: SiteSettings) -> SiteClient:
    return SiteClient("A", settings.rpc_socket, fabric=IDENTITY, owner_term=settings.owner_term)


def _arguments(settings: SiteSettings) -> list[str]:
    directories = ["--directory", str(settings.directory)]
    directories += ["--run-dir", str(settings.run_directory)]
    return ["--array", "A", "--fabric", IDENTITY, *directories]


def _file(pid: int, descriptor: int) -> Path:
    """Return what a process has open."""
    return Path(f"/proc/{pid}/fd/{descriptor}").readlink()


def _living(settings: SiteSettings) -> ProcessMark:
    mark = living_site(settings.lock_path)
    assert mark is not None
    return mark


async def test_a_site_belongs_to_nobody(settings: SiteSettings) -> None:
    """It holds no terminal, no directory and no file of whoever started it."""
    with tempfile.TemporaryFile() as inherited:
        os.set_inheritable(inherited.fileno(), True)
        name = str(_file(os.getpid(), inherited.fileno()))
        await launch.launch(settings)
    process = Path(f"/proc/{_living(settings).pid}")
    stat = (process / "stat").read_text().rpartition(")")[2].split()
    parent, session, terminal = int(stat[1]), int(stat[3]), int(stat[4])
    assert parent != os.getpid()
    assert session == _living(settings).pid
    assert terminal == 0
    assert (process / "cwd").readlink() == Path("/")
    files = {int(fd.name): str(fd.readlink()) for fd in (process / "fd").iterdir()}
    assert files[0] == "/dev/null"
    assert files[1] == files[2] == str(settings.log_path)
    assert name not in files.values()


async def test_a_site_ends_in_good_order_when_told_to(settings: SiteSettings) -> None:
    """Sockets are gone, locks are free, and the log says so."""
    await launch.launch(settings)
    client = _client(settings)
    report = await client.describe()
    mark = _living(settings)
    assert (report.pid, report.owner_term) == (mark.pid, 3)
    waiting = asyncio.create_task(client.events(report.last_event, 60.0))
    await client.ping()
    assert launch.send(mark, signal.SIGTERM)
    await launch.ended(mark)
    assert await waiting == ()
    await client.close()
    assert living_site(settings.lock_path) is None
    LockFile.take(str(settings.lock_path)).release()
    assert list(settings.run_directory.iterdir()) == []
    assert "site A ends\n" in settings.log_path.read_text()


async def test_a_second_process_leaves_the_first_one_alone(settings: SiteSettings) -> None:
    """Whoever comes second is told who the first one is."""
    await launch.launch(settings)
    first = _living(settings)
    with pytest.raises(SrError, match="SR9221") as caught:
        await launch.launch(settings)
    assert f"process {first.pid}" in caught.value.facts
    assert _living(settings) == first
    client = _client(settings)
    await client.ping()
    await client.close()


async def test_what_keeps_a_site_from_starting_is_told(settings: SiteSettings) -> None:
    """Through the pipe, in the words of the error."""
    settings.directory.mkdir(parents=True)
    settings.record_path.write_text("{")
    with pytest.raises(SrError, match="SR1101") as caught:
        await launch.launch(settings)
    assert str(settings.record_path) in caught.value.facts
    assert living_site(settings.lock_path) is None


async def test_a_place_that_cannot_be_written_is_told(place: Path) -> None:
    """Before any process is started."""
    (place / "sites").write_text("no directory")
    settings = SiteSettings("A", IDENTITY, place / "sites" / "A", run_directory(place))
    with pytest.raises(SrError, match="SR9301") as caught:
        await launch.launch(settings)
    assert "Not a directory" in caught.value.facts


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_site_runs_on_either_event_loop(settings: SiteSettings, loop: str) -> None:
    """One is an extra: nobody needs it, and it changes nothing but speed."""
    if loop == "uvloop":
        pytest.importorskip("uvloop", reason="needs uvloop (the extra `fast`)")
    reader, writer = os.pipe()
    arguments = ["-m", "srshell.site", *_arguments(settings), "--foreground", "--loop", loop]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, "--ready-fd", str(writer), pass_fds=[writer], stderr=PIPE
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert await asyncio.to_thread(pipe.read) == "ready\n"
    client = _client(settings)
    assert (await client.describe()).pid == process.pid
    await client.close()
    process.send_signal(signal.SIGTERM)
    _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")


_LAUNCH = """
import sys
from pathlib import Path
import uvloop
from srshell.backends.launch import launch
from srshell.site.settings import SiteSettings
array, fabric, directory, run_directory = sys.argv[1:]
uvloop.run(launch(SiteSettings(array, fabric, Path(directory), Path(run_directory))))
"""


@needs.tools("strace")
def test_starting_a_site_on_uvloop_closes_no_descriptor_twice(
    settings: SiteSettings, tmp_path: Path
) -> None:
    """The second close would hit whatever another thread has opened in between."""
    pytest.importorskip("uvloop", reason="needs uvloop (the extra `fast`)")
    settings.directory.mkdir(parents=True)
    settings.record_path.write_text("what no site has written")
    seen = tmp_path / "closed-twice"
    command = ["strace", "-f", "-qq", "-e", "trace=close", "-Z", "-o", str(seen)]
    command += [sys.executable, "-c", _LAUNCH, settings.array, settings.fabric]
    command += [str(settings.directory), str(settings.run_directory)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "SrError" in result.stderr
    assert "EBADF" not in seen.read_text()


def test_a_site_is_not_run_without_its_assertions(settings: SiteSettings) -> None:
    """They guard data; `python -O` takes them out."""
    command = [sys.executable, "-O", "-m", "srshell.site", *_arguments(settings)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 64
    assert "python -O" in result.stderr
    assert not settings.directory.exists()


@pytest.mark.parametrize(
    "arguments", [[], ["--array", "A"], ["--array", "../A", "--fabric", IDENTITY], ["--nonsense"]]
)
def test_a_call_that_cannot_be_read_is_refused(
    place: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the status of a wrong call, and in one line."""
    directories = ["--directory", str(place / "sites" / "A"), "--run-dir", str(place)]
    try:
        status: object = main([*arguments, *directories])
    except SystemExit as end:
        status = end.code
    assert status == 64
    assert capsys.readouterr().err.startswith("srshell site: ")
    assert not (place / "sites").exists()


async def test_a_process_is_told_from_every_other_one() -> None:
    """A number is given again; number, start and boot together are not."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=PIPE)
    mark = ProcessMark.of(child.pid)
    assert mark is not None
    assert mark.alive
    assert ProcessMark.parse(str(mark)) == mark
    reborn = ProcessMark(mark.pid, mark.start_ticks + 1, mark.boot)
    other_boot = ProcessMark(mark.pid, mark.start_ticks, "another")
    assert not reborn.alive
    assert not other_boot.alive
    assert not launch.send(reborn, signal.SIGKILL)
    assert launch.send(mark, signal.SIGKILL)
    await launch.ended(mark)
    assert not mark.alive
    assert not launch.send(mark, signal.SIGKILL)
    await child.communicate()
    await launch.ended(mark)


@pytest.mark.parametrize("note", ["", "None", "1 2", "a b c", "-1 2 x", "1 2 3 4"])
def test_a_note_that_names_no_process_is_no_process(place: Path, note: str) -> None:
    """The lock file may have been made by somebody who died before he signed."""
    LockFile.take(str(place / "lock"), note).release()
    assert living_site(place / "lock") is None
    assert living_site(place / "missing") is None
