"""The dashboard on 200 groups that are all written to: `python -m benchmarks.dashboard`.

Always true: what is measured is the real process behind a pseudo terminal of 140x40; the owner that
it listens to is the real control API over groups that are made up, with every counter moving.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import Any, Final

import attrs
import pyte

from srshell.fabric.control_server import ControlServer, listening_socket
from srshell.fabric.place import FabricPlace
from srshell.model.meters import Latency, Legs, Rates
from srshell.model.report import (
    ArraysReport,
    EventsReport,
    GroupsReport,
    InfoReport,
    JobsReport,
    PairsReport,
    StatusReport,
    VmsReport,
    VolumesReport,
)
from srshell.model.report.groups import GroupStatus, GroupVolume
from srshell.model.states import ReplicationHealth, ReplicationState

COLUMNS, LINES = 140, 40
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_ROUNDS: Final = 15
_NOTHING: Final = {
    "arrays": ArraysReport(()), "volumes": VolumesReport(()), "pairs": PairsReport(()),
    "groups": GroupsReport(()), "vms": VmsReport(()), "jobs": JobsReport(()),
    "events": EventsReport(()),
}  # fmt: skip


class ManyGroups:
    """A fabric of pairs of groups; each look finds every counter further on."""

    def __init__(self, pairs: int, directory: str) -> None:
        self._pairs = pairs
        self._directory = directory
        self._looks = 0

    def __getattr__(self, verb: str) -> Any:  # noqa: ANN401 - any verb that looks
        async def answer(**_: object) -> object:
            return await self.perform(verb, {})

        return answer

    async def perform(self, verb: str, _arguments: object) -> object:
        """The answer of a verb."""
        if verb == "status":
            self._looks += 1
            now = time.time()
            rows = [row for n in range(self._pairs) for row in self._sides(n, now)]
            return StatusReport(tuple(rows), now)
        if verb == "info":
            return InfoReport(self._directory, os.getpid(), "", (), identity="f" * 32)
        return _NOTHING[verb]

    def _sides(self, number: int, now: float) -> Iterator[GroupStatus]:
        names = f"Grp{number:03}", f"Dr{number:03}"
        for name, peer in (names, names[::-1]):
            primary = name == names[0]
            writes = self._looks * (10 + number)
            leg = Latency(writes, 0.001 + self._looks % 7 / 10_000, 0.003, 0.006, 0.011)
            yield GroupStatus(
                name=name, is_primary=primary,
                replication_state=ReplicationState.SYNCHRONIZING,
                replication_health=ReplicationHealth.NORMAL,
                array="ClusterA" if primary else "ClusterB", health_reasons=(),
                failover_ready=True, failover_ready_reason="every acknowledged write is in both",
                rpo_seconds=0.0, peer=peer, peer_state="Synchronizing", epoch=1,
                durable_lsn=writes, acked_lsn=writes, applied_lsn=writes - 3, progress=None,
                volumes=(GroupVolume(f"{name}Vol", "data", 1 << 36, 4096, f"/pools/{name}"),),
                vms=(), as_of=now, log_bytes=1 << 30,
                log_bytes_free=(1 << 30) - writes % (1 << 20), bytes_behind=0,
                latency=Legs(*[leg] * 6), rates=Rates(10.0, writes / 10, 4096.0 * writes),
                writes_total=writes, written_bytes_total=4096 * writes,
            )  # fmt: skip


@attrs.define
class Watched:
    """A dashboard behind a pseudo terminal."""

    process: subprocess.Popen[bytes]
    terminal: int
    screen: pyte.Screen = attrs.Factory(lambda: pyte.Screen(COLUMNS, LINES))
    written: int = 0

    async def see(self, word: str, *, absent: str = "") -> float:
        """Wait until a word is on the screen and another one is not; when that was."""
        stream = pyte.ByteStream(self.screen)
        arrived = time.perf_counter()
        while True:
            shown = "\n".join(self.screen.display)
            if word in shown and not (absent and absent in shown):
                # What this process takes to understand it is not the dashboard's time.
                return arrived
            data = await asyncio.to_thread(os.read, self.terminal, 65536)
            arrived = time.perf_counter()
            self.written += len(data)
            stream.feed(data)

    async def drain(self, seconds: float) -> None:
        """Take what is written, for a while."""
        loop = asyncio.get_running_loop()

        def take() -> None:
            self.written += len(os.read(self.terminal, 65536))

        loop.add_reader(self.terminal, take)
        await asyncio.sleep(seconds)
        loop.remove_reader(self.terminal)

    @property
    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


@contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    """Start a dashboard."""
    terminal, inner = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    words = ["-m", "srshell_tui", "--fabric", str(directory), "--no-start", "dash"]
    process = subprocess.Popen(
        [sys.executable, *words], stdin=inner, stdout=inner, stderr=inner, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(inner)
    try:
        yield Watched(process, terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


async def measure(pairs: int, seconds: float) -> list[tuple[str, float, str]]:
    """The rows: what, how much, in which unit."""
    with tempfile.TemporaryDirectory(prefix="srshell-bench-") as folder:
        place = FabricPlace(Path(folder))
        api: Any = ManyGroups(pairs, folder)
        server = ControlServer(api, folder, api.perform)
        await server.start(listening_socket(place.directory / "api"))
        place.write_card({"socket": str(place.directory / "api"), "pid": os.getpid()})
        try:
            return await _rows(place.directory, seconds)
        finally:
            await server.close()


async def _rows(directory: Path, seconds: float) -> list[tuple[str, float, str]]:
    began = time.perf_counter()
    with watched(directory) as dashboard:
        painted = await dashboard.see("Grp000>Dr000") - began
        await dashboard.drain(3.0)
        cpu, written = dashboard.cpu_seconds, dashboard.written
        await dashboard.drain(seconds)
        cpu = (dashboard.cpu_seconds - cpu) / seconds
        rate = (dashboard.written - written) / seconds
        os.write(dashboard.terminal, b"/")
        await dashboard.see("find:")
        filtered = [await _keys(dashboard) for _ in range(_ROUNDS)]
    return [
        ("first paint, from the start of the process", painted, "s"),
        ("CPU at one look a second, all groups written to", 100 * cpu, "% of a core"),
        ("written to the terminal meanwhile", rate / 1000, "kB/s"),
        ("filter, from a key to the screen, median", 1000 * statistics.median(filtered), "ms"),
        ("filter, from a key to the screen, longest", 1000 * max(filtered), "ms"),
    ]


async def _keys(dashboard: Watched) -> float:
    """Type one letter of a filter, and take it back; how long the letter took."""
    typed = time.perf_counter()
    os.write(dashboard.terminal, b"9")
    seconds = await dashboard.see("Grp009>Dr009", absent="Grp001>Dr001") - typed
    os.write(dashboard.terminal, b"\x7f")
    await dashboard.see("Grp001>Dr001")
    return seconds


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--pairs", type=int, default=100, help="replications, two groups each")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the CPU is measured")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.pairs, options.seconds))
    print(f"the dashboard on {2 * options.pairs} groups, {COLUMNS}x{LINES}")
    for name, value, unit in rows:
        print(f"{name:50}{value:10.2f} {unit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
