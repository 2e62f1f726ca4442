"""What a loss of the source would cost: told only as far as it is known."""

from __future__ import annotations

import pytest

from srshell.model.forecast import Forecast, derive_forecast
from srshell.model.replica import Flow, ReplicaData
from srshell.model.states import ReplicationState, Surroundings
from tests.unit.model.replicas import primary

_S = ReplicationState
CONSISTENT = Surroundings(destination_data=ReplicaData.CONSISTENT)


def test_in_sync_nothing_would_be_lost() -> None:
    """And the time is the one that was measured last."""
    found = derive_forecast(_S.SYNCHRONIZING, primary(), 0.0, CONSISTENT, 2.6)
    assert found == Forecast(True, 0, 0, 2.6)


def test_a_time_that_was_never_measured_is_not_made_up() -> None:
    """The loss is known all the same."""
    found = derive_forecast(_S.SYNCHRONIZING, primary(), 0.0, CONSISTENT, None)
    assert found == Forecast(True, 0, 0, None)


def test_alone_the_writes_that_the_other_side_lacks_would_be_lost() -> None:
    """As many as the source counts."""
    source = primary(alone=True, unconfirmed_writes=12, unconfirmed_bytes=49152)
    found = derive_forecast(_S.WAITING_FOR_DESTINATION, source, 4.0, CONSISTENT, 2.6)
    assert found == Forecast(True, 12, 49152, 2.6)


@pytest.mark.parametrize(
    ("state", "flow", "data"),
    [
        (_S.REPLICATING, Flow.INITIAL_COPY, ReplicaData.BLANK),
        (_S.RESYNCHRONIZING, Flow.BITMAP_COPY, ReplicaData.CONSISTENT),
        (_S.WAITING_FOR_DESTINATION, Flow.IDLE, ReplicaData.INCONSISTENT),
    ],
)
def test_a_copy_that_is_not_whole_can_take_nothing_over(
    state: ReplicationState, flow: Flow, data: ReplicaData
) -> None:
    """Blocks of different moments are no basis to go on from."""
    around = Surroundings(destination_data=data)
    found = derive_forecast(state, primary(flow=flow), None, around, 2.6)
    assert found == Forecast(possible=False)


def test_what_a_silent_source_acknowledged_is_not_known() -> None:
    """Neither a loss nor a time is named."""
    found = derive_forecast(_S.ERROR, primary(), None, CONSISTENT, 2.6)
    assert found == Forecast(None, None, None, None)


def test_a_group_without_a_replica_has_no_forecast() -> None:
    """There is nothing to forecast."""
    assert derive_forecast(_S.DISABLED, None, None, Surroundings(), None) is None
