"""What a primary says of itself when it shakes hands, and what an impostor could say instead.

Always true: a test changes the fields that it is about, and no other.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from srshell.codec.messages import Hello
from srshell.model.replica import Epoch, Era, ReplicaData, ReplicaRole, Standing
from tests.unit.engine.sides import PARTNERSHIP, REPLICAS

#: The largest number that fits 64 bits with a sign.
FAR: Final = 2**63 - 1


def hello(**changes: Any) -> Hello:  # noqa: ANN401 - a field of any type
    """What the primary would say to B."""
    fields: dict[str, Any] = {
        "protocol": 1,
        "partnership": PARTNERSHIP,
        "replica": REPLICAS["A"],
        "peer": REPLICAS["B"],
        "standing": standing(),
        "session": "s",
    }
    return Hello(**{**fields, **changes})


def standing(**changes: Any) -> Standing:  # noqa: ANN401 - a field of any type
    plain = Standing(
        replica=REPLICAS["A"],
        role=ReplicaRole.PRIMARY,
        data=ReplicaData.CONSISTENT,
        history=(Era(Epoch(1, 7, REPLICAS["A"]), 0),),
        tail_lsn=0,
        tail_crc=0,
        log_first_lsn=1,
        acked_alone_lsn=0,
        marked_from_lsn=-1,
    )
    return attrs.evolve(plain, **changes)
