"""Where a commit is made: by the loop while that disturbs nobody, else by a thread."""

from __future__ import annotations

import pytest

from srshell.site.promptness import LATELY_NS, LONG_NS, PAUSE_FACTOR, READS_MAX, Promptness


class Clock:
    def __init__(self) -> None:
        self.now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def promptness(clock: Clock) -> Promptness:
    return Promptness(clock)


def test_a_replica_that_commits_alone_has_the_loop(promptness: Promptness, clock: Clock) -> None:
    for _ in range(10):
        assert promptness.allows("one")
        promptness.committed("one", LONG_NS)
        clock.now_ns += 1000


def test_two_that_commit_in_turn_have_their_threads(promptness: Promptness, clock: Clock) -> None:
    promptness.committed("one")
    assert not promptness.allows("other")
    promptness.committed("other")
    assert not promptness.allows("one")
    clock.now_ns += LATELY_NS + 1
    assert promptness.allows("one")


def test_whoever_reads_is_not_kept_waiting(promptness: Promptness) -> None:
    for _ in range(READS_MAX):
        promptness.read()
    assert promptness.allows("one")  # it may be the writer itself who reads
    promptness.read()
    assert not promptness.allows("one")
    promptness.committed("one")
    assert promptness.allows("one")


def test_a_slow_disk_has_a_twentieth_of_the_loop_at_most(
    promptness: Promptness, clock: Clock
) -> None:
    """Each commit takes 10 ms, whoever makes it; the loop makes as many as it is allowed to."""
    commit_ns = 5 * LONG_NS
    in_loop_ns, begun_ns = 0, clock.now_ns
    for _ in range(1000):
        here = promptness.allows("one")
        clock.now_ns += commit_ns
        promptness.committed("one", commit_ns if here else 0)
        in_loop_ns += commit_ns if here else 0
    assert 0 < in_loop_ns <= (clock.now_ns - begun_ns) / PAUSE_FACTOR * 1.1
