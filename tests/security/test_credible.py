"""What can be in a standing, in an order and in a question, before anything is done about it."""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from srshell.codec.errors import FormatError
from srshell.codec.messages import Rejoin
from srshell.model.replica import Epoch, Era, OnPeerLoss, VolumeLayout
from srshell.replication import credible
from srshell.replication.decide import Amount, Decision, Relation
from srshell.replication.reigns import HISTORY_LIMIT
from tests.security.peers import FAR, hello, standing
from tests.unit.replication.superblocks import superblock

_E: Final = tuple(Era(Epoch(n, n, "aa"), 10 * n) for n in range(1, 4))
_LAYOUT: Final = (VolumeLayout("v", "/v", 1 << 20, 4096, 0, 1),)

HISTORIES: Final[dict[str, tuple[Era, ...]]] = {
    "too long": tuple(Era(Epoch(n, n, "aa"), n) for n in range(1, HISTORY_LIMIT + 2)),
    "numbers that fall": (_E[1], _E[0]),
    "a number twice": (_E[0], attrs.evolve(_E[0], start_lsn=20)),
    "epoch zero": (Era(Epoch(0, 0, "aa"), 0),),
    "a negative epoch": (Era(Epoch(-1, 0, "aa"), 0),),
    "a negative start": (Era(Epoch(1, 0, "aa"), -1),),
    "a number beyond 64 bits": (Era(Epoch(2**64, 0, "aa"), 0),),
    "a start beyond 64 bits": (Era(Epoch(1, 0, "aa"), 2**63),),
}


@pytest.mark.parametrize("wrong", HISTORIES)
def test_no_history_is_believed_that_cannot_be(wrong: str) -> None:
    with pytest.raises(FormatError):
        credible.check_history(HISTORIES[wrong])
    shown = hello(standing=standing(history=HISTORIES[wrong]))
    with pytest.raises(FormatError):
        credible.check_hello(superblock(), shown)


@pytest.mark.parametrize(
    "changes",
    [
        {"tail_lsn": -1},
        {"tail_lsn": 2**63},
        {"log_first_lsn": -5},
        {"acked_alone_lsn": 2**64 - 1},
        {"base_lsn": -1},
        {"history": (Era(Epoch(credible.EPOCHS_AHEAD_MAX + 2, 0, "aa"), 0),)},
        {"history": (Era(Epoch(FAR, 0, "aa"), 0),)},
    ],
)
def test_no_standing_is_believed_that_cannot_be(changes: dict[str, Any]) -> None:
    """An epoch at the end of all numbers would leave none for the next primary."""
    credible.check_hello(superblock(), hello())
    with pytest.raises(FormatError):
        credible.check_hello(superblock(), hello(standing=standing(**changes)))


_LOG: Final = Decision(Relation.TARGET, Amount.LOG, 25)
_COPY: Final = Decision(Relation.TARGET, Amount.BITMAP, 25)


def rejoin(**changes: Any) -> Rejoin:  # noqa: ANN401 - a field of any type
    fields: dict[str, Any] = {
        "history": _E, "base_lsn": 0, "truncate_lsn": 25, "copy": False, "compare": False,
        "copy_id": "", "policy": OnPeerLoss.CONTINUE,
    }  # fmt: skip
    return Rejoin(**{**fields, **changes})


def then(*numbers: int) -> tuple[Era, ...]:
    return (*_E, *(Era(Epoch(number, 9, "aa"), 40) for number in numbers))


@pytest.mark.parametrize(
    ("order", "decision"),
    [
        (rejoin(), _LOG),
        (rejoin(history=then(4)), _LOG),
        (rejoin(history=then(4, 5)), _LOG),
        (rejoin(history=then(5)), _LOG),
        (rejoin(history=_E[1:]), _LOG),
        (rejoin(copy=True, base_lsn=60, truncate_lsn=60), _COPY),
        (rejoin(), Decision(Relation.TARGET, Amount.RESUME, 25)),
    ],
)
def test_an_order_that_was_decided_is_carried_out(order: Rejoin, decision: Decision) -> None:
    credible.check_rejoin(order, standing(history=_E), decision)


@pytest.mark.parametrize(
    ("order", "decision"),
    [
        (rejoin(history=then(6)), _LOG),
        (rejoin(history=then(4, 7)), _LOG),
        (rejoin(history=then(4, 5, 6)), _LOG),
        (rejoin(history=then(FAR)), _LOG),
        (rejoin(history=(Era(Epoch(9, 9, "aa"), 0), *_E)), _LOG),
        (rejoin(truncate_lsn=24), _LOG),
        (rejoin(truncate_lsn=0), _LOG),
        (rejoin(truncate_lsn=FAR), _LOG),
        (rejoin(copy=True), _LOG),
        (rejoin(copy=False), _COPY),
        (rejoin(copy=True, base_lsn=60, truncate_lsn=25), _COPY),
    ],
)
def test_an_order_that_was_not_decided_is_refused(order: Rejoin, decision: Decision) -> None:
    """No cut before the common point, no copy unasked, no epoch but the next ones."""
    with pytest.raises(FormatError):
        credible.check_rejoin(order, standing(history=_E), decision)


@pytest.mark.parametrize(
    ("volume", "offset", "length"),
    [(0, 0, 0), (0, 0, 2**22 + 1), (0, 2**20, 1), (0, 2**20 - 1, 2), (1, 0, 1), (0, FAR, FAR)],
)
def test_no_range_is_looked_at_outside_a_volume(volume: int, offset: int, length: int) -> None:
    credible.check_range(_LAYOUT, 0, 0, 1 << 20)
    with pytest.raises(FormatError):
        credible.check_range(_LAYOUT, volume, offset, length)
