"""What a secondary does with frames: no gap, no early confirmation, nothing applied early."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.replication.destination import (
    Append,
    Apply,
    Committed,
    Confirm,
    Destination,
    DestinationEvent,
    Drop,
    FrameArrived,
    FramesFlushed,
    RefuseFrame,
)


def following(received_lsn: int = 10) -> Destination:
    """Return a secondary that holds and has applied everything up to an LSN."""
    return Destination(received_lsn, received_lsn, received_lsn, received_lsn)


def test_the_next_frame_is_appended() -> None:
    """It begins right after the last one."""
    secondary = following()
    assert secondary.handle(FrameArrived(11, 13)) == [Append()]
    assert secondary.handle(FrameArrived(14, 14)) == [Append()]


def test_a_frame_is_confirmed_when_it_is_durable_and_not_before() -> None:
    """A confirmation is a promise that survives a loss of power."""
    secondary = following()
    assert secondary.handle(FrameArrived(11, 13)) == [Append()]
    assert secondary.handle(FramesFlushed(13)) == [Confirm(13)]


def test_a_frame_that_the_log_holds_is_confirmed_again_and_not_written_again() -> None:
    """The primary did not hear the first confirmation."""
    assert following().handle(FrameArrived(9, 10)) == [Drop()]


@pytest.mark.parametrize(("first_lsn", "last_lsn"), [(12, 12), (10, 11), (9, 14)])
def test_a_frame_that_does_not_follow_is_refused(first_lsn: int, last_lsn: int) -> None:
    """A gap can never be repaired later, and half a frame cannot be appended."""
    secondary = following()
    reason = f"frame begins at LSN {first_lsn}, expected 11"
    assert secondary.handle(FrameArrived(first_lsn, last_lsn)) == [RefuseFrame(reason)]
    assert secondary.received_lsn == 10


def test_nothing_is_applied_before_the_primary_says_so() -> None:
    """A record that is not committed may still be rolled back: it stays in the log."""
    secondary = following()
    secondary.handle(FrameArrived(11, 13))
    assert secondary.handle(FramesFlushed(13)) == [Confirm(13)]
    assert secondary.handle(Committed(12)) == [Apply(12)]


def test_nothing_is_applied_before_the_own_log_holds_it() -> None:
    """A volume that is ahead of its log could not be brought back to any LSN."""
    secondary = following()
    secondary.handle(FrameArrived(11, 13))
    assert secondary.handle(Committed(13)) == []
    assert secondary.handle(FramesFlushed(12)) == [Confirm(12), Apply(12)]


def test_a_commit_that_is_known_already_applies_nothing() -> None:
    """Each heartbeat repeats it."""
    secondary = following()
    assert secondary.handle(Committed(10)) == []
    assert secondary.handle(Committed(4)) == []


LSNS = st.integers(1, 12)
EVENTS = st.one_of(
    st.builds(lambda first, size: FrameArrived(first, first + size), LSNS, st.integers(0, 3)),
    st.builds(Committed, LSNS),
    st.just("flush"),
)


@given(st.lists(EVENTS, max_size=60))
def test_any_stream_leaves_a_log_without_gaps(stream: list[DestinationEvent | str]) -> None:
    """Whatever arrives, in whatever order, what is kept is dense and what is applied is safe."""
    secondary = following(0)
    log: list[int] = []
    durable = committed = applied = 0
    for event in stream:
        if isinstance(event, str):
            durable = len(log)
            instructions = secondary.handle(FramesFlushed(durable))
        else:
            committed = max(committed, event.lsn if isinstance(event, Committed) else 0)
            instructions = secondary.handle(event)
        for instruction in instructions:
            if isinstance(instruction, Append):
                assert isinstance(event, FrameArrived)
                log.extend(range(event.first_lsn, event.last_lsn + 1))
            elif isinstance(instruction, Confirm):
                assert instruction.lsn <= durable
            elif isinstance(instruction, Apply):
                assert applied < instruction.lsn <= min(durable, committed)
                applied = instruction.lsn
        assert log == list(range(1, len(log) + 1))
