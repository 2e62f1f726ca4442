"""Two primaries of one group: made by force, seen by both sides, and settled by a person.

Always true:

(1) Until somebody says which side is kept, each side holds its own writes and none of the other's.
(2) What the side that is given up held of its own lies in its branch, block for block.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from srshell.model.errors import SrError
from srshell.model.replica import LinkState, ReplicaReport
from srshell.model.states import ReplicationState
from srshell.site.client import SiteClient
from tests.process.deadlines import until
from tests.process.fabric_pair import SIZE_BYTES, FabricPair
from tests.process.ledger import UNIT_BYTES, Ledger, unit_content
from tests.process.load import send

_LONG_SECONDS: Final = 120.0
_UNITS: Final = 64
_MIDDLE: Final = SIZE_BYTES // UNIT_BYTES // 2

#: Versions of writes after a fork begin at multiples of this.
_FUTURE: Final = 1_000_000

#: Where writes go: first unit and number of units of each; the last flag says "trim".
Places = list[tuple[int, int, bool]]


@attrs.frozen
class Pattern:
    """What two primaries write, each without the other; empty: nothing at all."""

    of_old: Places
    of_new: Places


def _few(dice: random.Random, first: int) -> Places:
    writes = dice.randint(1, 6)
    return [(first + dice.randrange(_UNITS), dice.randint(1, 16), False) for _ in range(writes)]


def _same(dice: random.Random) -> Pattern:
    places = _few(dice, 0)
    return Pattern(places, places)


def _elsewhere(dice: random.Random) -> Pattern:
    return Pattern(_few(dice, 0), _few(dice, _MIDDLE))


def _overlapping(dice: random.Random) -> Pattern:
    return Pattern(_few(dice, 0), _few(dice, _UNITS // 2))


def _one_each(dice: random.Random) -> Pattern:
    return Pattern([(dice.randrange(_UNITS), 1, False)], [(dice.randrange(_UNITS), 1, False)])


def _trims(dice: random.Random) -> Pattern:
    places: Places = [(8 * dice.randrange(8), 8, dice.random() < 0.7) for _ in range(4)]
    return Pattern([*_few(dice, 0), *places], [*places, *_few(dice, _UNITS // 2)])


def _large(dice: random.Random) -> Pattern:
    return Pattern([(0, 2048, False)], [(1024, 2048, False), *_few(dice, 0)])


def _more_than_the_log_holds(dice: random.Random) -> Pattern:
    rounds = [(0, 4096, False) for _ in range(10)]
    return Pattern([*rounds, *_few(dice, _MIDDLE)], _few(dice, 4096))


def _only_old(dice: random.Random) -> Pattern:
    return Pattern(_few(dice, 0), [])


#: Somebody has to choose: the old primary acknowledged alone what the new one lacks.
SPLITTING: Final[dict[str, Callable[[random.Random], Pattern]]] = {
    "the same blocks": _same,
    "other blocks": _elsewhere,
    "overlapping blocks": _overlapping,
    "one write each": _one_each,
    "trims": _trims,
    "large writes": _large,
    "more than the log holds": _more_than_the_log_holds,
    "only the old primary": _only_old,
}


def _only_new(dice: random.Random) -> Pattern:
    return Pattern([], _few(dice, 0))


def _nobody(_: random.Random) -> Pattern:
    return Pattern([], [])


#: The old primary has nothing to lose: it follows the new one by itself.
HARMLESS: Final[dict[str, Callable[[random.Random], Pattern]]] = {
    "only the new primary": _only_new,
    "nobody": _nobody,
}


@attrs.frozen
class Rivals:
    """Which side led, which was made to lead beside it, and what each holds since."""

    pair: FabricPair
    old: str
    new: str
    ledgers: dict[str, Ledger]
    #: The versions of a side's own writes begin there.
    futures: dict[str, int]

    async def write(self, array: str, places: Places) -> None:
        """Write at one side, and see every write acknowledged there."""
        site, ledger = self.pair.sites[array], self.ledgers[array]
        surprises: list[str] = []
        for first, units, trim in places:
            entry = ledger.begin(first, units, trim=trim)
            before = ledger.acknowledged
            await send(ledger, entry, lambda: (site, f"vol{array}"), surprises)
            assert ledger.acknowledged == before + 1, (array, entry.outcome, surprises)

    def own_units(self, array: str) -> dict[int, bytes]:
        """Return the units that a side wrote, one write after the other, as it left them."""
        return {
            unit: bytes(UNIT_BYTES) if entry.trim else unit_content(entry.version, unit)
            for entry in self.ledgers[array].entries
            if entry.version >= self.futures[array]
            for unit in range(entry.first_unit, entry.first_unit + entry.units)
        }

    async def keep_apart(self) -> None:
        """Check that each side that can be read holds its own writes, and nothing else.

        A primary that was started again serves nobody before it has met a peer that follows it.
        """
        readable = 0
        for array, ledger in self.ledgers.items():
            try:
                content = await self.pair.sites[array].read(f"vol{array}", 0, SIZE_BYTES)
            except SrError as error:
                if (error.code, array) != ("SR9224", self.old):
                    raise
                continue
            readable += 1
            problems = ledger.problems(content)
            assert not problems, (array, problems[:5])
        assert readable

    async def seen_by_both(self) -> None:
        """Wait until both sites, and the fabric, say that there are two primaries."""

        async def seen() -> bool:
            reports = [await self.pair.report(array) for array in self.pair.arrays]
            return all(report is not None and _says_split(report) for report in reports)

        await until(seen, "both sides see the other primary")

        async def told() -> bool:
            rows = (await self.pair.client.status()).groups
            words = {row.replication_state for row in rows}
            return words == {ReplicationState.SPLIT_BRAIN}

        await until(told, "the status of both groups is SplitBrain")


def _says_split(report: ReplicaReport) -> bool:
    both = report.split is not None and report.peer_split is not None
    return both and report.link is LinkState.REFUSED


async def oppose(pair: FabricPair, pattern: Pattern, *, by_command: bool) -> Rivals:
    """Part the sides and let both lead; each writes what the pattern says.

    ``by_command``: as people do it, who accept the loss of a site that comes back later.  Otherwise
    a second owner, which knows nothing of the first one, promotes a side beside a living primary.
    """
    old = await pair.in_sync()
    new = pair.other(old)
    await equal(pair, pair.ledger)
    newest = max((entry.version for entry in pair.ledger.entries), default=0)
    future = newest - newest % _FUTURE + _FUTURE
    futures = {old: future, new: future + _FUTURE}
    ledgers = {array: pair.ledger.fork(first) for array, first in futures.items()}
    rivals = Rivals(pair, old, new, ledgers, futures)
    await pair.client.fault("link", "down", seconds=_LONG_SECONDS)
    await rivals.write(old, pattern.of_old)
    if by_command:
        await pair.take_down(old)
        await pair.client.failover(
            f"group{new}", "unplanned", confirm=f"group{new}", accept_loss="unknown"
        )
    else:
        await usurp(pair, new)
    await rivals.write(new, pattern.of_new)
    return rivals


async def usurp(pair: FabricPair, array: str) -> None:
    """Promote a side as an owner would that knows nothing of the living primary."""
    info = await pair.client.info()
    rogue = SiteClient(
        array, pair.sites[array].socket, fabric=info.identity, owner_term=info.owner_term
    )
    await rogue.promote(pair.partnership, f"usurp {array}", None, alone=True)
    await rogue.close()


async def meet(rivals: Rivals) -> None:
    """Let the sides see each other again."""
    pair = rivals.pair
    for array in pair.arrays:
        if not pair.is_down(array):
            await pair.client.fault("link", "down", array, seconds=0)
    if pair.is_down(rivals.old):
        await pair.bring_back(rivals.old)


async def settle(rivals: Rivals, keep: str) -> None:
    """Say which side is kept; check the branch of the other one, and that both are equal then."""
    pair = rivals.pair
    lose = pair.other(keep)
    resolved = await pair.client.resolve(f"group{lose}", keep=keep, confirm=lose)
    assert (resolved.kept, resolved.lost) == (keep, lose)
    pair.ledger = rivals.ledgers[keep]
    assert await pair.in_sync() == keep
    await equal(pair, pair.ledger)
    branch = (await pair.client.branch(resolved.branch)).branch
    (image,) = branch.volumes
    data = _content(image.path)
    for unit, content in rivals.own_units(lose).items():
        start = unit * UNIT_BYTES
        assert data[start : start + UNIT_BYTES] == content, f"the branch lacks unit {unit}"


def _content(path: str) -> bytes:
    return Path(path).read_bytes()


async def equal(pair: FabricPair, ledger: Ledger) -> None:
    """Check that both sides are equal, and hold what a ledger says."""
    pair.ledger = ledger
    await pair.check()


async def reconcile(rivals: Rivals) -> None:
    """Check that an old primary with nothing of its own follows, without a word from anybody."""
    assert await rivals.pair.in_sync() == rivals.new
    await equal(rivals.pair, rivals.ledgers[rivals.new])
