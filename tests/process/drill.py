"""What the long drills share: numbered cycles in a folder of their own, and a last line of figures.

Always true:

(1) A cycle draws what it does from its own number, so a drill can be cut into pieces anywhere.
(2) The last line on standard output is a JSON object of whole numbers; the exit status is 0 only if
    its ``violations`` are 0.
(3) The folder of a drill that found something is kept, and named on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

_COMPILED: Final = Path(__file__).parents[2] / "build" / "compiled"

Figures = Counter[str]

#: Plays the cycles of some numbers in a folder, and counts what it did as it goes.
Drill = Callable[[range, Path, Figures], Coroutine[Any, Any, None]]


def run(drill: Drill, description: str | None, parent: Path | None = None) -> int:
    """Read ``--count`` and ``--from``, play the cycles, print the figures; return the status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=10, help="how many cycles")
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first")
    options = parser.parse_args()
    # Hundreds of processes find their modules compiled, whatever the environment says.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(_COMPILED)
    figures: Figures = Counter({"violations": 0})
    folder = Path(tempfile.mkdtemp(prefix="drill-", dir=parent))
    numbers = range(options.first, options.first + options.count)
    try:
        asyncio.run(_until_told(drill(numbers, folder, figures)))
    except Exception:  # noqa: BLE001 - whatever it is, the drill has failed
        traceback.print_exc()
        figures["violations"] += 1
        print(f"what it left: {folder}", file=sys.stderr)  # noqa: T201
    if not figures["violations"]:
        shutil.rmtree(folder)
    print(json.dumps(dict(sorted(figures.items()))))  # noqa: T201
    return 1 if figures["violations"] else 0


async def _until_told(drill: Coroutine[Any, Any, None]) -> None:
    """End in good order when told to: what a drill has started must not outlive it."""
    task = asyncio.ensure_future(drill)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        raise InterruptedError("told to end") from None


def pieces(numbers: range, size: int) -> Iterator[range]:
    """Cut numbers into stretches of a size."""
    for first in range(numbers.start, numbers.stop, size):
        yield range(first, min(first + size, numbers.stop))
