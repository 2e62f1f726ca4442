"""`decide` is the table, for every two standings of a small world, in every cell of the table."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product

from srshell.model.replica import Epoch, Era, ReplicaData, ReplicaRole, Standing
from srshell.replication.decide import decide
from tests.model.table import MIRRORED, VERDICTS, Cell, cell_of, verdict_of

SHARED = Era(Epoch(1, 7, "A"), 0)
FOREIGN = Era(Epoch(1, 8, "C"), 0)
CELLS = 24


def histories(name: str) -> list[tuple[Era, ...]]:
    """Return what a side may know: the shared epoch, its own, the other's, a foreign one."""
    own = [Era(Epoch(2, 3, name), 1), Era(Epoch(3, 1, name), 1)]
    return [
        (SHARED,),
        (SHARED, own[0]),
        (SHARED, own[0], own[1]),
        (SHARED, Era(Epoch(2, 3, "A"), 1)),
        (FOREIGN,),
    ]


@cache
def standings(name: str) -> list[Standing]:
    """Return every standing of a side in this world."""
    return list(_standings(name))


def _standings(name: str) -> Iterator[Standing]:
    whole = (ReplicaData.CONSISTENT, ReplicaData.INCONSISTENT)
    for history, data, (tail, crc), acked, yields, role in product(
        dict.fromkeys(histories(name)),
        whole,
        ((1, 1), (2, 2), (2, 3)),
        (-1, 0, 1, 2),
        (False, True),
        ReplicaRole,
    ):
        # -1: not alone; else alone, and acknowledged up to there.
        if acked <= tail and not (acked < 0 and yields):
            yield standing(name, history, data, tail, crc, acked, yields=yields, role=role)
    for data in (ReplicaData.BLANK, ReplicaData.FAILED):
        yield standing(name, (), data, 0, 0, -1, yields=False, role=ReplicaRole.SECONDARY)


def standing(
    name: str,
    history: tuple[Era, ...],
    data: ReplicaData,
    tail_lsn: int,
    tail_crc: int,
    acked_lsn: int,
    *,
    yields: bool,
    role: ReplicaRole,
) -> Standing:
    """Return one standing; ``acked_lsn`` -1: the side is not alone."""
    return Standing(
        replica=name,
        role=role,
        data=data,
        history=history,
        tail_lsn=tail_lsn,
        tail_crc=tail_crc,
        log_first_lsn=1,
        acked_alone_lsn=max(0, acked_lsn),
        marked_from_lsn=0,
        alone=acked_lsn >= 0,
        yields=yields,
    )


def test_decide_is_the_table_and_every_cell_is_met() -> None:
    """Every two standings of this world, from both sides."""
    met: Counter[Cell] = Counter()
    for mine, theirs in product(standings("A"), standings("B")):
        cell = cell_of(mine, theirs)
        met[cell] += 1
        decision = decide(mine, theirs)
        assert decision.relation is verdict_of(mine, theirs), (cell, mine, theirs)
        assert cell_of(theirs, mine) is MIRRORED[cell]
        assert decide(theirs, mine) == decision.mirrored(), (cell, mine, theirs)
    assert set(met) == set(Cell)


def test_the_table_has_twenty_four_cells_with_a_verdict_each() -> None:
    """A new case needs a cell of its own here, a verdict, and a row in docs/epochs.md."""
    assert len(Cell) == len(VERDICTS) == CELLS
    assert set(MIRRORED) == set(Cell)
    assert all(MIRRORED[MIRRORED[cell]] is cell for cell in Cell)
