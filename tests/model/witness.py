"""The third voter, as reliability rule R6 wants it: a tiny durable record, and what it grants.

The product has no witness yet; this one gates the shipped rules, and shows what they promise then.

Always true:

(1) A grant is durable at the witness before anybody acts on it; the answer may be lost, and asking
    again gives the same answer.
(2) Only the holder may acknowledge alone, and only a side that the witness counts as in step may
    become the holder.
(3) A side is counted as in step again only when it is, and the holder acknowledges alone no more.
"""

from __future__ import annotations

from typing import NamedTuple


class Grant(NamedTuple):
    """What the witness has on its disk."""

    holder: int  # who may lead
    in_step: int  # bit set of the sides that lack nothing


BOTH = 0b11


def first(primary: int) -> Grant:
    """Return the record of a group in step."""
    return Grant(primary, BOTH)


def only(index: int) -> Grant:
    """Return the record under which a side may acknowledge alone."""
    return Grant(index, 1 << index)


def solo(grant: Grant, index: int) -> Grant | None:
    """Let the holder acknowledge alone; None: refused."""
    return only(index) if grant.holder == index else None


def lead(grant: Grant, index: int) -> Grant | None:
    """Let a side that is in step take over from one that is gone; None: refused."""
    return only(index) if grant.in_step >> index & 1 else None


def switch(grant: Grant, source: int) -> Grant | None:
    """Hand the lead over as planned, both sides being in step; None: refused."""
    return Grant(1 - source, BOTH) if grant == Grant(source, BOTH) else None


def rejoin(grant: Grant, holder: int) -> Grant | None:
    """Count the other side as in step again, at the holder's word; None: refused."""
    return Grant(holder, BOTH) if grant.holder == holder else None
