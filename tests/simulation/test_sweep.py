"""A crash at every operation of a script, and once more in the recovery, loses nothing."""

from multiprocessing.pool import Pool

import pytest

from srshell.simulation.runner import try_point
from srshell.simulation.sweep import SCRIPTS, all_points, count_points, crash_points, run_point

#: One crash point of so many is tried here; the others, and more, by ``--sweep --thorough``.
SHARE = 8


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_crash_breaks_a_promise(pool: Pool, script: str) -> None:
    """Kill and power cut take turns, before and after operations of both sides."""
    points = list(crash_points(script))[SCRIPTS.index(script) % SHARE :: SHARE]
    assert len(points) > 20
    problems = [problem for problem in pool.imap(try_point, points, chunksize=4) if problem]
    assert not problems, "\n\n".join(problems[:5])


def test_recovery_is_crashed_once_more() -> None:
    """A point that crashes only once tells nothing about a crash in the recovery."""
    points = list(crash_points("everyday"))[40:60]
    assert sum(run_point(point) == 2 for point in points) > len(points) // 2


def test_the_thorough_sweep_is_large_and_has_no_point_twice() -> None:
    """Before and after each operation of both sides, kill and power cut, here and there again."""
    points = list(all_points(thorough=True))
    assert len(points) == count_points(thorough=True) >= 50_000
    assert len(set(points)) == len(points)
    assert {point.side for point in points} == {"A", "B"}
    assert {point.elsewhere for point in points} == {True, False}
    assert {(point.before, point.power) for point in points} == {
        (before, power) for before in (True, False) for power in (True, False)
    }
