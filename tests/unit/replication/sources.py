"""Primaries in every phase, ready for one event."""

from typing import Any

import attrs

from srshell.model.replica import OnPeerLoss
from srshell.replication.source import Phase, Source


def in_phase(phase: Phase = Phase.LIVE, **changes: Any) -> Source:  # noqa: ANN401
    """Return a primary whose log, peer and writers all stand at LSN 10."""
    plain = Source(
        on_peer_loss=OnPeerLoss.CONTINUE,
        phase=phase,
        last_lsn=10,
        flushed_lsn=10,
        confirmed_lsn=10,
        acked_lsn=10,
        alone=phase in {Phase.ALONE, Phase.CATCHING_UP},
    )
    return attrs.evolve(plain, **changes)


def waiting(phase: Phase, **changes: Any) -> Source:  # noqa: ANN401
    """Return a primary with write 11 in its own log, and not at its peer."""
    return in_phase(phase, **{"last_lsn": 11, "flushed_lsn": 11, **changes})


def phase_of(primary: Source) -> Phase:
    """Return the phase now; a type checker forgets what it knew of it before an event."""
    return primary.phase
