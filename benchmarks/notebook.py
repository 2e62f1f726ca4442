"""What a notebook costs: replication beside a cell that computes, and completion with many names.

`python -m benchmarks.notebook`

Always true: the kernel is a real one with srshell loaded and connected; the fabric's owner and its
sites are processes of their own; writes are 4 KiB, one after the other, each durable on both sides
before the next.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from traitlets.config import Config

import srshell
from srshell.fabric.sync_client import SyncFabric
from srshell_magics.candidates import Candidates
from srshell_magics.extension import loaded_in

_BLOCK: Final = 4096
_VOLUME_BYTES: Final = 16 << 20
_COMPUTE: Final = "import time\nwhile time.monotonic() < {end}: sum(i * i for i in range(1000))"
_NAMES: Final = 1000
_COMPLETIONS: Final = 200
_WAIT_SECONDS: Final = 60
_ROUNDS: Final = 6
Row = tuple[str, float, float, float]


@contextmanager
def protected(folder: Path) -> Iterator[SyncFabric]:
    """A group in sync, in processes of their own."""
    fabric = srshell.connect(folder / "fabric")
    try:
        for site, array in (("east", "ClusterA"), ("west", "ClusterB")):
            (folder / site).mkdir()
            fabric.discover(str(folder / site), name=array, site=site)
            fabric.classify(f"{array}/PoolA", "gold")
        fabric.pair("ClusterA", "ClusterB")
        fabric.provision_pair(
            "Vol", "Copy", _VOLUME_BYTES, logs=("Log", "CopyLog"), log_size=_VOLUME_BYTES
        )
        fabric.create_group("PriRG", ("Vol",), "Log")
        fabric.create_group("RecRG", ("Copy",), "CopyLog")
        fabric.enable("PriRG", "RecRG")
        fabric.refresh()
        fabric.wait("PriRG", "Synchronizing")
        yield fabric
    finally:
        fabric.stop_owner()
        fabric.close()


@contextmanager
def kernel(folder: Path) -> Iterator[BlockingKernelClient]:
    """A kernel that is connected to the fabric."""
    environment = {**os.environ, "SRSHELL_FABRIC": str(folder / "fabric"),
                   "IPYTHONDIR": str(folder / "ipython")}  # fmt: skip
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment, cwd=str(folder))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=_WAIT_SECONDS)
        client.execute("%load_ext srshell\n%status", reply=True, timeout=_WAIT_SECONDS)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def written(write: Callable[[int, bytes], None], seconds: float) -> tuple[float, float, float]:
    """Write for a while: writes a second, and p50 and p99 of their times in seconds."""
    dice, times = random.Random(1), []
    began = time.perf_counter()
    while (at := time.perf_counter()) < began + seconds:
        write(dice.randrange(_VOLUME_BYTES // _BLOCK) * _BLOCK, dice.randbytes(_BLOCK))
        times.append(time.perf_counter() - at)
    times.sort()
    whole = time.perf_counter() - began
    return len(times) / whole, times[len(times) // 2], times[len(times) * 99 // 100]


def beside_a_cell(seconds: float) -> list[Row]:
    """The same writes beside nothing, beside a cell that computes, beside any program that does.

    In turn, several times: medians.
    """
    with tempfile.TemporaryDirectory(prefix="srshell-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        fabric = stack.enter_context(protected(folder))
        client = stack.enter_context(kernel(folder))
        write = fabric.volume("Vol").write
        written(write, 1.0)

        slice_seconds = seconds / _ROUNDS
        found: dict[str, list[tuple[float, float, float]]] = {}

        def beside(what: str) -> None:
            found.setdefault(what, []).append(written(write, slice_seconds))

        for _ in range(_ROUNDS):
            beside("nothing computes")
            cell = client.execute(_COMPUTE.format(end=time.monotonic() + slice_seconds))
            beside("a cell computes")
            client._recv_reply(cell, timeout=_WAIT_SECONDS)  # noqa: SLF001 - what `execute` awaits
            code = _COMPUTE.format(end=time.monotonic() + slice_seconds)
            with subprocess.Popen([sys.executable, "-c", code], start_new_session=True):
                beside("another program computes")
        return [(what, *map(statistics.median, zip(*rows, strict=True)))
                for what, rows in found.items()]  # fmt: skip


@attrs.frozen
class _Volume:
    """A row of the list of volumes."""

    name: str


class ManyVolumes:
    """A fabric with many volumes; one that does not answer while ``deaf``."""

    def __init__(self) -> None:
        self.deaf = False

    def perform(self, _verb: str, _arguments: object) -> Any:  # noqa: ANN401 - rows of any kind
        """The list of volumes."""
        while self.deaf:
            time.sleep(0.01)
        return [_Volume(f"Volume{number:04}") for number in range(_NAMES)]

    def close(self) -> None:
        """Nothing is held."""


def completions() -> list[tuple[str, float, float]]:
    """What completion takes: what, median and longest, in seconds."""
    with tempfile.TemporaryDirectory(prefix="srshell-bench-") as home:
        os.environ["IPYTHONDIR"] = home
        config = Config()
        config.HistoryManager.enabled = False
        shell = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
        shell.run_line_magic("load_ext", "srshell")
        loaded = loaded_in(shell)
        assert loaded is not None
        fabric = ManyVolumes()
        loaded.console.connection.use(fabric)  # type: ignore[arg-type]

        def complete(line: str) -> float:
            began = time.perf_counter()
            with provisionalcompleter():
                offered = list(shell.Completer.completions(line, len(line)))
            seconds = time.perf_counter() - began
            assert offered or fabric.deaf
            return seconds

        complete("%nbd Vol")  # the first one imports what it needs
        found = []
        for what, line in (("all names", "%nbd V"), ("one name", "%nbd Volume0500")):
            times = [complete(line) for _ in range(_COMPLETIONS)]
            found.append((what, statistics.median(times), max(times)))
        # Where nothing is known IPython goes on to its own matchers: here is what comes from us.
        fabric.deaf = True
        times = []
        for _ in range(_COMPLETIONS // 4):
            candidates = Candidates(lambda: fabric)  # type: ignore[arg-type, return-value]
            began = time.perf_counter()
            candidates.after("%nbd V")
            times.append(time.perf_counter() - began)
        found.append(("an owner that does not answer", statistics.median(times), max(times)))
        fabric.deaf = False
        return found


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebook", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long cells compute")
    options = parser.parse_args()
    offered = completions()
    print(f"completion with {_NAMES} names{'':23}median ms   longest ms")
    for what, median, longest in offered:
        print(f"{what:45}{1e3 * median:12.1f} {1e3 * longest:12.1f}")
    rows = beside_a_cell(options.seconds)
    first = rows[0][1]
    each = f"{_ROUNDS} x {options.seconds / _ROUNDS:g} s each"
    print(f"\nwrites of 4 KiB, one at a time, {each}\n{'':30}"
          f"{'per second':>12} {'ratio':>7} {'p50 ms':>8} {'p99 ms':>8}")  # fmt: skip
    for what, rate, p50, p99 in rows:
        print(f"{what:30}{rate:12.0f} {rate / first:7.2f} {1e3 * p50:8.2f} {1e3 * p99:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
