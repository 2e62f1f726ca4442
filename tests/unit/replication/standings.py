"""Standings of two sites, as tests compare them."""

from typing import Any

import attrs

from srshell.model.replica import Epoch, Era, ReplicaData, ReplicaRole, Standing

A, B = "a", "b"


def era(number: int, start_lsn: int = 0, creator: str = A, nonce: int = 7) -> Era:
    """Return the era of one epoch."""
    return Era(Epoch(number, nonce, creator), start_lsn)


FIRST = era(1)


def standing(replica: str, tail_lsn: int = 5, *later: Era, **changes: Any) -> Standing:  # noqa: ANN401
    """Return a consistent secondary whose whole log is there, in FIRST and then ``later``."""
    plain = Standing(
        replica=replica,
        role=ReplicaRole.SECONDARY,
        data=ReplicaData.CONSISTENT,
        history=(FIRST, *later),
        tail_lsn=tail_lsn,
        tail_crc=0,
        log_first_lsn=1,
        acked_alone_lsn=0,
        marked_from_lsn=0,
    )
    return attrs.evolve(plain, **changes)


def primary(replica: str, tail_lsn: int = 5, *later: Era, **changes: Any) -> Standing:  # noqa: ANN401
    """Return a consistent primary."""
    return standing(replica, tail_lsn, *later, **{"role": ReplicaRole.PRIMARY, **changes})


def alone(replica: str, tail_lsn: int = 5, *later: Era, **changes: Any) -> Standing:  # noqa: ANN401
    """Return a primary that acknowledged everything up to its tail without its peer."""
    acked = {"alone": True, "acked_alone_lsn": tail_lsn}
    return primary(replica, tail_lsn, *later, **{**acked, **changes})
