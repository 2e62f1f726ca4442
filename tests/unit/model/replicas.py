"""A replica's report while its group is in sync, to be changed one fact at a time."""
# ruff: noqa: ANN401 - a fact of any type can be changed

from __future__ import annotations

from typing import Any

import attrs

from srshell.model.geometry import MIB
from srshell.model.replica import (
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
)


def primary(**changes: Any) -> ReplicaReport:
    """The source, in sync."""
    made = ReplicaReport(
        partnership="1" * 32,
        group="PriRG",
        peer_group="RecRG",
        array="ClusterA",
        peer_array="ClusterB",
        as_of=1000.0,
        role=ReplicaRole.PRIMARY,
        data=ReplicaData.CONSISTENT,
        link=LinkState.CONNECTED,
        link_reason="",
        flow=Flow.LIVE,
        epoch=1,
        last_lsn=10,
        durable_lsn=10,
        acked_lsn=10,
        confirmed_lsn=10,
        applied_lsn=9,
        checkpoint_lsn=5,
        log_bytes=60 * MIB,
        log_bytes_free=50 * MIB,
        log_path="/log",
        on_peer_loss=OnPeerLoss.CONTINUE,
        alone=False,
        peer_may_ack_alone=True,
        unclean=False,
        started=True,
        suspended=False,
        torn_down=False,
        sealed=False,
        writable=True,
        volumes=(),
    )
    return attrs.evolve(made, **changes)


def secondary(**changes: Any) -> ReplicaReport:
    """The destination, in sync."""
    return primary(
        **{"role": ReplicaRole.SECONDARY, "writable": False, "array": "ClusterB", **changes}
    )


LOST: dict[str, Any] = {"link": LinkState.CONNECTING, "flow": Flow.IDLE}
