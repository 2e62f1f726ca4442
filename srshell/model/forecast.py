"""What the loss of the source's site would cost at this moment: for eyes, before it happens.

Always true:

(1) Nothing is promised that is not known: what a dead site would keep to itself is None.
(2) A loss of 0 is said only while the recovery point is 0; a time only if it was measured.
"""

from __future__ import annotations

import attrs

from srshell.model.replica import Flow, ReplicaData, ReplicaReport
from srshell.model.states import ReplicationState, Surroundings


@attrs.frozen
class Forecast:
    """If the source's site were lost now."""

    #: Whether the other side could take over; None: not known.
    possible: bool | None = None
    lost_writes: int | None = None  #: acknowledged writes that would be gone; None: not known
    lost_bytes: int | None = None
    #: Without writes, from the command to the new primary, as the last role change took.
    back_seconds: float | None = None


def derive_forecast(
    state: ReplicationState,
    source: ReplicaReport | None,
    rpo_seconds: float | None,
    around: Surroundings,
    measured_seconds: float | None,
) -> Forecast | None:
    """The forecast for a group; None for one that is not protected.

    Args:
        state: the derived word of the side that is primary.
        source: the report of that side; None if there is none.
        rpo_seconds: the recovery point as it is shown; None if it is not known.
        around: what is known of that side beyond its report.
        measured_seconds: how long the last role change took; None if there was none.
    """
    if source is None:
        return None
    if rpo_seconds is None:
        return Forecast(possible=False if _unusable(state, source, around) else None)
    if rpo_seconds == 0:
        return Forecast(True, 0, 0, measured_seconds)
    writes, size_bytes = source.unconfirmed_writes, source.unconfirmed_bytes
    return Forecast(True, writes, size_bytes, measured_seconds)


def _unusable(state: ReplicationState, source: ReplicaReport, around: Surroundings) -> bool:
    """Whether the destination holds no moment of the source at all: nothing could go on from it."""
    copying = state is ReplicationState.RESYNCHRONIZING and source.flow is not Flow.LOG_REPLAY
    blank = around.destination_data in {ReplicaData.BLANK, ReplicaData.INCONSISTENT}
    return state is ReplicationState.REPLICATING or copying or blank
