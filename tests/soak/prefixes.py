"""``python -m tests.soak.prefixes --count K --from N``: K prefixes, a hundred from each story.

An ext4 file system on a replicated volume is mounted over NBD and written, and counters on another
volume of its group follow every file.  From the destination's log, and then from the source's, the
volumes are rebuilt after many LSNs; on each the file system is checked with e2fsck, and no counter
may be ahead of a file, nor a file ahead of a counter.

Always true: what the last prefix holds is what the volumes hold.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from srshell.cli.prefixes import PrefixesReport, check_prefixes, ext4_checkers
from tests.process.drill import Figures, pieces, run
from tests.process.pair import PARTNERSHIP
from tests.process.write_pairs import Group, end_checker, open_group, pairs_checker, write_pairs

#: Prefixes from one story, half of them from each side.
_FROM_ONE: Final = 100
_FILES: Final = 25


async def prefixes(numbers: range, folder: Path, figures: Figures) -> None:
    """Tell one story after the other."""
    for piece in pieces(numbers, _FROM_ONE):
        place = folder / str(piece.start)
        await asyncio.to_thread(place.mkdir)
        async with open_group(place) as group:
            await story(group, place, piece, figures)


async def story(group: Group, folder: Path, piece: range, figures: Figures) -> None:
    """Write once; look at as many prefixes as there are numbers."""
    bases = {array: await group.copy(array, folder / f"base{array}") for array in group.arrays}
    first_lsn = (await group.site("B").replica(PARTNERSHIP)).last_lsn
    await write_pairs(group, folder, piece.start, _FILES)
    last_lsn = (await group.site("B").replica(PARTNERSHIP)).last_lsn
    halves = {"B": len(piece) - len(piece) // 2, "A": len(piece) // 2}
    for array, count in halves.items():
        if count:
            base = bases[array]
            # From the end as many as there are to be, evenly; the end itself is always there.
            step = max(1, (last_lsn - first_lsn) // count)
            report = await check_prefixes(
                group.log_path(array),
                {f"fs{array}": base["fs"], f"count{array}": base["count"]},
                [
                    end_checker(group, array, last_lsn),
                    *ext4_checkers([f"fs{array}"]),
                    pairs_checker(folder, piece.start, array),
                ],
                since=base["log"],
                step=step,
                from_lsn=last_lsn - step * (count - 1),
            )
            count_up(report, figures)


def count_up(report: PrefixesReport, figures: Figures) -> None:
    """Add what was found to the figures."""
    figures["prefixes"] += report.prefixes
    figures["clean"] += report.clean
    figures["violations"] += len(report.problems)
    for problem in report.problems:
        print(f"LSN {problem.lsn}: {problem.text}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(run(prefixes, __doc__))
