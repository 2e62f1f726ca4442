"""A machine of kind writer: a process that writes numbered records, with a ledger of those acked.

Always true:

(1) A row is in the ledger, synced, only if the write of its record was acknowledged.
(2) The machine writes to its volume at its site; while that takes no writes the machine waits, as a
    guest on a stalled disk would.
(3) It holds the lock on its directory for life; so nobody has to trust a process number.
(4) It outlives the owner that started it, and stops at SIGTERM after its writes were answered.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from srshell.fabric.detach import detach
from srshell.fabric.records import (
    ROW_BYTES,
    SLOT_BYTES,
    decode_rows,
    decode_slots,
    encode_record,
    encode_rows,
    slot_count,
)
from srshell.model.errors import SrError
from srshell.site.api import SiteApi
from srshell.site.client import SiteClient

#: Writes that are under way at once.
DEPTH = 4
#: How long a machine waits before it tries a volume again that took no writes, in seconds.
RETRY_SECONDS = 0.2
_READ_BYTES = 4 * 1024**2
_LOCK_ATTEMPTS = 20
_LOCK_PAUSE_SECONDS = 0.01


@attrs.frozen
class MachineFiles:
    """The files of one machine."""

    directory: Path

    @property
    def config(self) -> Path:
        """What the machine is to do; written by the owner."""
        return self.directory / "machine.json"

    @property
    def stream(self) -> Path:
        """Which stream its records belong to; 16 bytes, made once."""
        return self.directory / "stream"

    @property
    def ledger(self) -> Path:
        """Rows for the records that were acknowledged."""
        return self.directory / "ledger"

    @property
    def lock(self) -> Path:
        """Locked, and holding the process number, while the machine runs."""
        return self.directory / "lock"

    @property
    def state(self) -> Path:
        """What the machine says of itself, as JSON; replaced four times a second."""
        return self.directory / "state.json"

    def read_ledger(self) -> list[int]:
        """The acknowledged sequence numbers."""
        return list(decode_rows(self.ledger.read_bytes())) if self.ledger.exists() else []

    def read_stream(self) -> bytes:
        """The stream of the machine; empty if it never ran."""
        return self.stream.read_bytes() if self.stream.exists() else b""

    def read_state(self) -> dict[str, Any]:
        """What the machine said of itself last."""
        try:
            state = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def running_pid(self) -> int:
        """The process of the machine; 0 if it does not run."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            # Shared, so that those who look do not take each other for the machine.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            return int(text) if text.isdigit() else -1
        finally:
            os.close(descriptor)
        return 0


@attrs.frozen
class MachineConfig:
    """What a machine is to do."""

    name: str
    array: str
    volume: str
    size_bytes: int
    rate: int  # records a second; 0: as many as go through
    site_socket: str
    fabric: str  # identity


def read_config(files: MachineFiles) -> MachineConfig:
    """What the owner wrote for a machine."""
    return MachineConfig(**json.loads(files.config.read_text()))


def lock_directory(files: MachineFiles) -> int:
    """Take the lock of a machine; -1 if it runs already."""
    descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            # Whoever looks whether the machine runs holds the lock for a moment, too.
            time.sleep(_LOCK_PAUSE_SECONDS)
    else:
        os.close(descriptor)
        return -1
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _open_ledger(files: MachineFiles) -> int:
    """Open the ledger for more rows; a row that a crash tore off is no row."""
    whole = len(files.read_ledger()) * ROW_BYTES
    descriptor = os.open(files.ledger, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.ftruncate(descriptor, whole)
    return descriptor


class Writer:
    """The machine itself."""

    def __init__(
        self, config: MachineConfig, files: MachineFiles, site: Callable[[], SiteApi]
    ) -> None:
        """Make a machine; its files are opened, nothing is written.

        Args:
            config: what it is to do.
            files: where its ledger lies.
            site: the site that holds its volume; asked for before every call.
        """
        self._config = config
        self._files = files
        self._slots = slot_count(config.size_bytes)
        self._stopping = asyncio.Event()
        self._site = site
        self._sequence = 0
        self._written = 0
        self._problem = ""
        self._stream = files.read_stream() or self._make_stream()
        self._ledger = _open_ledger(files)
        self._told = 0.0

    def stop(self) -> None:
        """End after the writes that are under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Read what is there, go on behind it, write until told to stop."""
        await self._find_start()
        self._tell("running")
        lanes = [asyncio.create_task(self._lane()) for _ in range(DEPTH)]
        await asyncio.gather(*lanes)
        self._tell("stopped")
        os.close(self._ledger)

    async def _lane(self) -> None:
        """Write one record after the other."""
        pause_seconds = DEPTH / self._config.rate if self._config.rate else 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            sequence = self._sequence
            self._sequence += 1
            if await self._write(sequence):
                await self._enter(sequence)
            await self._pause(pause_seconds - (time.monotonic() - began))

    async def _write(self, sequence: int) -> bool:
        """Write a record until it is acknowledged; False if nobody can know whether it is there."""
        data = encode_record(self._stream, sequence, time.time())
        offset = sequence % self._slots * SLOT_BYTES
        while not self._stopping.is_set():
            try:
                await self._site().write(self._config.volume, offset, data)
            except SrError as error:
                self._tell("waiting", str(error))
                if error.code == "SR9225":
                    return False
                await self._pause(RETRY_SECONDS)
            else:
                return True
        return False

    async def _enter(self, sequence: int) -> None:
        """Enter an acknowledged record into the ledger."""
        rows = encode_rows([sequence])
        await asyncio.to_thread(self._append, rows)
        self._written += 1
        if time.monotonic() - self._told > RETRY_SECONDS:
            self._tell("running")

    def _append(self, rows: bytes) -> None:
        os.write(self._ledger, rows)
        os.fdatasync(self._ledger)

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless told to stop."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _find_start(self) -> None:
        """Continue behind the newest record, of the volume or of the own ledger."""
        newest = max(self._files.read_ledger(), default=-1)
        length = self._slots * SLOT_BYTES
        for offset in range(0, length, _READ_BYTES):
            data = await self._read(offset, min(_READ_BYTES, length - offset))
            for record in decode_slots(data):
                if record is not None:
                    newest = max(newest, record.sequence)
        self._sequence = newest + 1

    async def _read(self, offset: int, length: int) -> bytes:
        while not self._stopping.is_set():
            try:
                return await self._site().read(self._config.volume, offset, length)
            except SrError as error:
                self._tell("waiting", str(error))
                await self._pause(RETRY_SECONDS)
        return b""

    def _make_stream(self) -> bytes:
        """Give the machine its stream."""
        stream = secrets.token_bytes(16)
        fresh = self._files.stream.with_suffix(".new")
        fresh.write_bytes(stream)
        fresh.replace(self._files.stream)
        return stream

    def _tell(self, state: str, problem: str = "") -> None:
        """Say how it goes."""
        self._told = time.monotonic()
        text = json.dumps({"state": state, "written": self._written, "problem": problem})
        fresh = self._files.state.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._files.state)


async def _run(config: MachineConfig, files: MachineFiles) -> None:
    site = SiteClient(config.array, Path(config.site_socket), fabric=config.fabric, owner_term=None)
    writer = Writer(config, files, lambda: site)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, writer.stop)
    await writer.run()
    await site.close()


def main(directory: str) -> int:
    """Run the machine whose files are in ``directory``; 1 if it runs already."""
    detach()
    os.umask(0o077)
    files = MachineFiles(Path(directory))
    config = read_config(files)
    lock = lock_directory(files)
    if lock < 0:
        return 1
    asyncio.run(_run(config, files))
    os.close(lock)
    return 0
