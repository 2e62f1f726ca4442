"""The machine that writes: its ledger claims what was acknowledged, and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast

import attrs
import pytest

from srshell.fabric.records import ROW_BYTES, SLOT_BYTES, decode_record, decode_slots
from srshell.fabric.writer import DEPTH, MachineConfig, MachineFiles, Writer, lock_directory
from srshell.model.errors import SrError
from srshell.site.api import SiteApi

SLOTS = 8


class OneVolume:
    """A site with one volume that can be told to refuse or to lose an answer."""

    def __init__(self) -> None:
        self.content = bytearray(SLOTS * SLOT_BYTES)
        self.answers: list[str] = []  # codes to raise, one for each write
        self.written = asyncio.Event()
        self.writes = 0
        self.wanted = 10_000
        self.numbers: set[int] = set()
        self.wanted_numbers: set[int] = set()

    async def read(self, _volume: str, offset: int, length: int) -> bytes:
        return bytes(self.content[offset : offset + length])

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        if self.answers and (code := self.answers.pop(0)):
            raise SrError.make(code, volume=volume, group="G", reason="it must")
        self.content[offset : offset + len(data)] = data
        self.writes += 1
        record = decode_record(data)
        assert record is not None
        self.numbers.add(record.sequence)
        if self.writes >= self.wanted and self.numbers >= self.wanted_numbers:
            self.written.set()


@pytest.fixture
def files(tmp_path: Path) -> MachineFiles:
    """The directory of one machine, configured."""
    files = MachineFiles(tmp_path)
    config = MachineConfig("vm", "A", "PV", SLOTS * SLOT_BYTES, 0, "", "f")
    files.config.write_text(json.dumps(attrs.asdict(config)))
    return files


async def write_some(site: OneVolume, files: MachineFiles, count: int) -> list[int]:
    """Let the machine write; the ledger afterwards."""
    config = MachineConfig(**json.loads(files.config.read_text()))
    site.writes, site.wanted, site.written = 0, count, asyncio.Event()
    writer = Writer(config, files, lambda: cast("SiteApi", site))
    running = asyncio.create_task(writer.run())
    await site.written.wait()
    writer.stop()
    await running
    return files.read_ledger()


async def test_the_ledger_holds_what_was_acknowledged(files: MachineFiles) -> None:
    """Each row is a record that is there, unless a later one took its slot."""
    site = OneVolume()
    ledger = await write_some(site, files, 5)
    held = {record.sequence for record in decode_slots(bytes(site.content)) if record}
    assert len(ledger) >= 5
    assert set(ledger) - {n for n in ledger if n + SLOTS in ledger} <= held
    assert files.read_state()["state"] == "stopped"


async def test_an_unknown_outcome_is_not_claimed(files: MachineFiles) -> None:
    """The record may be there; the machine does not say so."""
    site = OneVolume()
    site.answers = ["SR9225"]
    assert 0 not in await write_some(site, files, 5)


async def test_a_volume_that_takes_no_writes_is_waited_for(files: MachineFiles) -> None:
    """As a guest hangs on its disk, and goes on when the disk does."""
    site = OneVolume()
    site.answers = ["SR9224", "SR9301"] * (DEPTH // 2)
    site.wanted_numbers = set(range(DEPTH))
    assert set(range(DEPTH)) <= set(await write_some(site, files, DEPTH))


async def test_a_machine_goes_on_behind_what_it_finds(files: MachineFiles, tmp_path: Path) -> None:
    """Numbers are never given out twice, with its own ledger or on a replica without it."""
    site = OneVolume()
    first = await write_some(site, files, 5)
    second = await write_some(site, files, 3)
    assert min(set(second) - set(first)) > max(first)
    other = MachineFiles(tmp_path / "other")
    other.directory.mkdir()
    other.config.write_text(files.config.read_text())
    assert min(await write_some(site, other, 3)) > max(second)
    assert other.read_stream() != files.read_stream()


async def test_a_torn_row_is_cut_off(files: MachineFiles) -> None:
    """Rows that come after it are read."""
    site = OneVolume()
    await write_some(site, files, 5)
    with files.ledger.open("ab") as ledger:
        ledger.write(b"\x01" * (ROW_BYTES - 3))
    before = files.read_ledger()
    after = await write_some(site, files, 3)
    assert after[: len(before)] == before
    assert len(after) >= len(before) + 3


def test_a_machine_runs_once(files: MachineFiles) -> None:
    """The lock says whether it runs, and which process it is."""
    assert files.running_pid() == 0
    assert lock_directory(files) >= 0
    assert lock_directory(files) == -1
    assert files.running_pid() > 0
