"""The state of the whole model: two sides, the link between them, and what is true of the writes.

Always true:

(1) A state is one integer: the numbers of two sides, of a link and of what the world knows.
(2) `Known` is the truth that no side has; promises are checked against it, no rule looks at it.
(3) Messages keep their order, and a step of one side that follows no message of the other is
    independent of it.  So a message that arrives after its sender crashed or left could as well
    have arrived just before, both ends can notice the loss of the link at once, and only the
    fence's messages, which can be lost, are kept: every other order leads to the same states.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import attrs

from srshell.model.replica import OnPeerLoss, ReplicaData, ReplicaRole
from srshell.replication import source
from srshell.replication.decide import Amount
from tests.model import local, witness
from tests.model.contact import Contact, Contacts, Pair
from tests.model.local import Side, Sides
from tests.model.witness import Grant

NAMES = ("A", "B")
_SIDE_BITS = 20
_LINK_BITS = 16
_SIDE_MASK = (1 << _SIDE_BITS) - 1
_LINK_MASK = (1 << _LINK_BITS) - 1
_COPIES = frozenset({Amount.RESUME, Amount.BITMAP, Amount.CHECKSUM, Amount.FULL})


class Stage(IntEnum):
    """How far the two sides have come in working together."""

    NONE = 0
    AGREED = 1
    READY = 2
    JOINED = 3
    SERVING = 4


class Fence(IntEnum):
    """Which message of the fence is on the way."""

    NONE = 0
    SENT = 1
    STORED = 2
    CLOSING = 3


class LinkState(NamedTuple):
    """The link between the two sides, and the message of the fence that is on the way."""

    stage: Stage = Stage.NONE
    primary: int = 0
    common_lsn: int = 0
    truncate_lsn: int = 0
    amount: Amount = Amount.NOTHING
    fence: Fence = Fence.NONE


class Known(NamedTuple):
    """What is true of the writes, and what people did; no side knows all of it."""

    acked: int = 0  # bit set of acknowledged writes that nobody gave up
    joint: int = 0  # those of them that were durable on both sides at some time
    forced: bool = False  # an unplanned failover happened since the group was last in step
    untold: bool = False  # a person let a primary lead alone while its peer could not be told
    planned: tuple[int, int] | None = None  # demoted side, LSN: still to be completed
    grant: Grant | None = None  # what the witness has on its disk; None: there is no witness


class Scope(NamedTuple):
    """How far the search goes."""

    writes_max: int  # the longest log, in records
    epochs_max: int  # the highest epoch number
    policies: tuple[OnPeerLoss, ...] = (OnPeerLoss.CONTINUE, OnPeerLoss.SUSPEND_IO)
    copies: bool = False
    policy_changes: bool = False
    witness: bool = False

    def __str__(self) -> str:
        """Return the scope in words."""
        words = [f"{self.writes_max} writes", f"{self.epochs_max} epochs"]
        words += ["copies"] if self.copies else []
        words += ["changes of policy"] if self.policy_changes else []
        words += ["a witness"] if self.witness else []
        words += [policy.value for policy in self.policies]
        return ", ".join(words)


class Broken(Exception):
    """A promise does not hold in a state that was just reached."""


class Group:
    """Numbers the parts of states, and remembers what two sides would decide."""

    def __init__(self, scope: Scope) -> None:
        """Begin with nothing remembered; a changed rule needs a new Group."""
        self.scope = scope
        self.sides = Sides(scope.epochs_max)
        self._links: list[LinkState] = []
        self._knowns: list[Known] = []
        self._link_numbers: dict[LinkState, int] = {}
        self._known_numbers: dict[Known, int] = {}
        self._renamed: dict[Pair, tuple[Pair, dict[int, int] | None]] = {}
        self._contacts = Contacts(self.sides)
        self._held: list[int] = []
        self._logged: list[int] = []

    def pack(self, pair: Pair, link: LinkState, known: Known) -> int:
        """Return the state as one integer, its writes numbered in the order of the logs."""
        found = self._renamed.get(pair)
        if found is None:
            found = self._renamed[pair] = self._rename(pair)
        pair, names = found
        if names is not None and not (known.acked & ~bits(tuple(names))):
            acked = sum(1 << names[old] for old in names if known.acked >> old & 1)
            joint = sum(1 << names[old] for old in names if known.joint >> old & 1)
            known = known._replace(acked=acked, joint=joint)
        link_number = self._link_numbers.get(link)
        if link_number is None:
            link_number = self._link_numbers[link] = len(self._links)
            self._links.append(link)
        known_number = self._known_numbers.get(known)
        if known_number is None:
            known_number = self._known_numbers[known] = len(self._knowns)
            self._knowns.append(known)
        assert max(pair) <= _SIDE_MASK, "too many sides for their bits"
        assert link_number <= _LINK_MASK, "too many links for their bits"
        number = known_number << _LINK_BITS | link_number
        return (number << _SIDE_BITS | pair[1]) << _SIDE_BITS | pair[0]

    def _rename(self, pair: Pair) -> tuple[Pair, dict[int, int] | None]:
        """Number the writes of both logs anew: which number a write has makes no difference."""
        first, second = (self.sides.values[number] for number in pair)
        names: dict[int, int] = {}
        for old in (*first.log, *second.log):
            names.setdefault(old, len(names))
        if all(old == new for old, new in names.items()):
            return pair, None
        numbers = [
            self.sides.number(attrs.evolve(side, log=tuple(names[old] for old in side.log)))
            for side in (first, second)
        ]
        return (numbers[0], numbers[1]), names

    def free_write(self, pair: Pair) -> int:
        """Return the number of a write that neither log holds."""
        return (self.logged(pair[0]) | self.logged(pair[1])).bit_length()

    def unpack(self, state: int) -> tuple[Pair, LinkState, Known]:
        """Return the parts of a state."""
        pair = (state & _SIDE_MASK, state >> _SIDE_BITS & _SIDE_MASK)
        number = state >> 2 * _SIDE_BITS
        return pair, self._links[number & _LINK_MASK], self._knowns[number >> _LINK_BITS]

    def held(self, number: int) -> int:
        """Return the bit set of the writes that a side's usable data holds durably."""
        if number >= len(self._held):
            self._count_writes()
        return self._held[number]

    def logged(self, number: int) -> int:
        """Return the bit set of all writes in a side's log, durable or not."""
        if number >= len(self._logged):
            self._count_writes()
        return self._logged[number]

    def _count_writes(self) -> None:
        for side in self.sides.values[len(self._held) :]:
            usable = side.superblock.data is ReplicaData.CONSISTENT
            self._held.append(bits(side.log[: side.flushed]) if usable else 0)
            self._logged.append(bits(side.log))

    def starts(self) -> Iterator[int]:
        """Give a group in step, with either side as primary and each policy."""
        for primary in (0, 1):
            for policy in self.scope.policies:
                yield self._start(primary, policy)

    def _start(self, primary: int, policy: OnPeerLoss) -> int:
        numbers = []
        for index in (0, 1):
            leads = index == primary
            role = ReplicaRole.PRIMARY if leads else ReplicaRole.SECONDARY
            superblock = local.first_superblock(NAMES[index], role, NAMES[primary], policy)
            machine = local.new_machine(superblock, source.Phase.LIVE, 0, 0) if leads else None
            numbers.append(self.sides.number(Side(superblock, (), 0, machine, (), 0)))
        link = LinkState(Stage.SERVING, primary)
        grant = witness.first(primary) if self.scope.witness else None
        return self.pack((numbers[0], numbers[1]), link, Known(grant=grant))

    def contact(self, pair: Pair) -> Contact:
        """Return what the two sides would decide if they met now."""
        return self._contacts.of(pair)


def bits(writes: tuple[int, ...]) -> int:
    """Return a bit set of write numbers."""
    result = 0
    for number in writes:
        result |= 1 << number
    return result


def copies(amount: Amount) -> bool:
    """Tell whether the target is inconsistent while it is brought in step."""
    return amount in _COPIES
