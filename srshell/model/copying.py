"""How the copies out of one site share what they may take: a rate for all, terms for each.

Always true: a rate is in bytes per second, and 0 stands for "as fast as it goes".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from srshell.model.geometry import KIB

PRIORITY_DEFAULT: Final = 10
PRIORITY_MAX: Final = 100
#: A slower copy would seem to stand still: it moves in extents of half a MiB.
RATE_MIN: Final = 256 * KIB


@attrs.frozen
class CopyTerms:
    """What the copy of one partnership may take."""

    partnership: str
    priority: int = PRIORITY_DEFAULT  # its share of the common rate is in proportion to this
    bytes_per_second: int = 0  # at most so much, whatever is free; 0: no limit of its own


@attrs.frozen
class CopyPlan:
    """What the copies out of one site may take; who is not named has the usual terms."""

    bytes_per_second: int = 0  # all copies together; 0: no limit
    terms: tuple[CopyTerms, ...] = ()

    def of(self, partnership: str) -> CopyTerms:
        """The terms of a partnership."""
        found = (terms for terms in self.terms if terms.partnership == partnership)
        return next(found, CopyTerms(partnership))


def fair_rates(plan: CopyPlan, copying: Iterable[str]) -> Mapping[str, float]:
    """What each of those who copy gets while all of them could take more, in bytes per second.

    In proportion to their priorities; what one may not take because of a rate of its own is shared
    by the others.  0: as fast as it goes.
    """
    left = [plan.of(partnership) for partnership in dict.fromkeys(copying)]
    if not plan.bytes_per_second:
        return {terms.partnership: float(terms.bytes_per_second) for terms in left}
    rates: dict[str, float] = {}
    free = float(plan.bytes_per_second)
    # Whoever needs the least of what his priority entitles him to is served first.
    left.sort(key=lambda terms: (terms.bytes_per_second or float("inf")) / terms.priority)
    weight = sum(terms.priority for terms in left)
    for terms in left:
        share = free * terms.priority / weight
        rate = min(share, terms.bytes_per_second or share)
        rates[terms.partnership] = rate
        free -= rate
        weight -= terms.priority
    return rates
