"""A crash at every operation of a script, and once more in the recovery, loses nothing."""

from multiprocessing.pool import Pool

import pytest

from srshell.simulation.runner import try_point
from srshell.simulation.sweep import SCRIPTS, crash_points, run_point

PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_crash_breaks_a_promise(pool: Pool, script: str, part: int) -> None:
    """Kill and power cut take turns, before and after each operation of both sides."""
    points = list(crash_points(script))[part::PARTS]
    assert len(points) > 40
    problems = [problem for problem in pool.imap(try_point, points, chunksize=4) if problem]
    assert not problems, "\n\n".join(problems[:5])


def test_recovery_is_crashed_once_more() -> None:
    """A point that crashes only once tells nothing about a crash in the recovery."""
    points = list(crash_points("everyday"))[40:60]
    assert sum(run_point(point) == 2 for point in points) > len(points) // 2
