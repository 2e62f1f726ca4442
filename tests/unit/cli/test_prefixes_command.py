"""``srshell prefixes``: what it refuses, what it runs, and what it says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from srshell.cli import main
from srshell.cli.prefixes import command_checker
from srshell.cli.surroundings import Exit
from srshell.engine.formatting import format_log
from srshell.engine.world import World
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.storage import Disk, OsDisk
from srshell.transport import StreamNetwork

Capture = pytest.CaptureFixture[str]

MIB = 1024 * 1024


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A log without a record, and an image of its volume."""
    log, image = tmp_path / "log", tmp_path / "image"
    image.write_bytes(b"first" + bytes(MIB - 5))
    disk = Disk(OsDisk(), None)
    spec = ReplicaSpec(
        partnership="c0" * 16, replica="aa" * 16, peer="bb" * 16, group="G", peer_group="H",
        array="A", peer_array="B", role=ReplicaRole.PRIMARY, initiator=True, peer_address="",
        log_path=str(log), log_bytes=9 * MIB,
        volumes=(ReplicaVolume("data", str(image), MIB, 4096),),
    )  # fmt: skip

    async def make() -> None:
        await disk.create(str(log), 9 * MIB)
        await format_log(spec, World(log_disk=disk, data_disk=disk, network=StreamNetwork()))

    asyncio.run(make())
    return {"log": log, "image": image}


def words(files: dict[str, Path], *more: str) -> list[str]:
    return ["prefixes", str(files["log"]), "--base", f"data={files['image']}", *more]


def test_a_log_without_records_has_one_prefix(files: dict[str, Path], capsys: Capture) -> None:
    """The images as they were given."""
    assert main(words(files, "--check", "grep -q first {}")) == Exit.OK
    assert capsys.readouterr().out == "1 of 1 prefixes are clean, LSN 0 to 0\n"
    assert main(words(files, "--check", "grep -q second {data}")) == Exit.FAILED
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("0 of 1")
    assert "grep ended with 1" in out[-1]
    assert main(words(files, "--check", "grep -q first {data}", "--json")) == Exit.OK
    report = json.loads(capsys.readouterr().out)
    assert (report["schema"], report["clean"], report["problems"]) == ("srshell.prefixes/1", 1, [])


def test_a_checker_may_change_what_it_is_given(files: dict[str, Path], capsys: Capture) -> None:
    """It gets copies."""
    before = files["image"].read_bytes()
    assert main(words(files, "--check", "truncate -s 0 {}")) == Exit.OK
    assert files["image"].read_bytes() == before


def test_what_cannot_be_done_is_refused(files: dict[str, Path], capsys: Capture) -> None:
    """A volume without an image, words that are none, files and programs that are not there."""
    log, image = str(files["log"]), str(files["image"])
    for line, code in (
        (["prefixes", log, "--base", image], "SR0005"),
        (["prefixes", log, "--base", f"other={image}", "--check", "true"], "SR0105"),
        (["prefixes", log, "--base", "data=/nowhere", "--check", "true"], "SR9220"),
        (["prefixes", "/nowhere", "--base", f"data={image}", "--check", "true"], "SR9220"),
        (["prefixes", image, "--base", f"data={image}", "--check", "true"], "SR9210"),
        (words(files, "--check", "no-such-program {}"), "SR0105"),
    ):
        assert main(line) == Exit.FAILED, line
        assert capsys.readouterr().err.startswith(code), line


def test_a_command_that_is_empty_is_no_program() -> None:
    with pytest.raises(SrError, match="SR0105"):
        command_checker("")


def test_placeholders_are_filled_in_and_nothing_else(tmp_path: Path) -> None:
    """No shell reads the line; what a program says is kept."""
    image = tmp_path / "a b"
    image.write_text("x")
    echo = command_checker("test {LSN} = {data}")
    said = asyncio.run(echo(7, {"data": image}))
    assert said == "test ended with 1: "
    both = command_checker("grep -c x {} $HOME;ls")
    assert "$HOME;ls" in asyncio.run(both(7, {"data": image, "more": image}))
