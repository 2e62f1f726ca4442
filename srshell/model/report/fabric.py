"""What is there: owner, sites, arrays, pools, pairs, volumes, candidates.

Always true: sizes are bytes, and None means unknown.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from srshell.model.inventory import Candidate, Pair, Pool, Volume
from srshell.model.report.base import Named, Note, Rows


@attrs.frozen
class PoolRow(Named):
    """A pool of a site, and how full it is."""

    name: str
    size_bytes: int
    free_bytes: int
    classification: str | None
    kind: str = "file"
    managed: bool = True
    path: str = ""


@attrs.frozen
class SiteRow:
    """A site and its process; ``pid`` is None while there is none."""

    array: str
    site: str
    pid: int | None
    state: str  #: running, starting, held, down, in-process
    pools: tuple[PoolRow, ...]
    link_address: str = ""
    nbd_socket: str = ""
    peer: str | None = None


@attrs.frozen
class InfoReport:
    """A fabric, its owner and its sites."""

    fabric: str
    owner_pid: int
    socket: str
    sites: tuple[SiteRow, ...]
    identity: str = ""
    profile: str = "native"
    version: str = ""
    owner_term: int = 0
    sandbox: bool = False
    role: str = "admin"  # what the one who asks may do
    access: tuple[str, ...] = ()  # who else may do what
    schema: str = "srshell.info/1"


@attrs.frozen
class ArrayReport(Named):
    """An array and its pools; ``peer`` is the array that it is paired with."""

    name: str
    site: str
    pools: tuple[PoolRow, ...]
    peer: str | None = None
    kinds: tuple[str, ...] = ()
    engine: str = "native"
    warnings: tuple[Note, ...] = ()
    schema: str = "srshell.array/1"


@attrs.frozen
class ArraysReport(Rows[ArrayReport]):
    """All arrays."""

    arrays: tuple[ArrayReport, ...]
    schema: str = "srshell.arrays/1"
    ROWS: ClassVar[str] = "arrays"


@attrs.frozen
class CandidatesReport(Rows[Candidate]):
    """Places that were looked at; ``best_pair`` names two that would make a good pair."""

    candidates: tuple[Candidate, ...]
    best_pair: tuple[str, str] | None = None
    schema: str = "srshell.candidates/1"
    ROWS: ClassVar[str] = "candidates"


@attrs.frozen
class PoolsReport(Rows[Pool]):
    """All pools."""

    pools: tuple[Pool, ...]
    schema: str = "srshell.pools/1"
    ROWS: ClassVar[str] = "pools"


@attrs.frozen
class PairReport:
    """Two paired arrays; ``already`` when they had been paired before."""

    array: str
    peer: str
    paired_unix: float
    groups: tuple[str, ...] = ()
    already: bool = False
    warnings: tuple[Note, ...] = ()
    schema: str = "srshell.pair/1"


@attrs.frozen
class PairsReport(Rows[Pair]):
    """All pairs."""

    pairs: tuple[Pair, ...]
    schema: str = "srshell.pairs/1"
    ROWS: ClassVar[str] = "pairs"


@attrs.frozen
class VolumesReport(Rows[Volume]):
    """All volumes."""

    volumes: tuple[Volume, ...]
    schema: str = "srshell.volumes/1"
    ROWS: ClassVar[str] = "volumes"


@attrs.frozen
class LogSplit:
    """How a log volume is divided, in bytes."""

    volume: str
    metadata_bytes: int
    ring_bytes: int


@attrs.frozen
class ProvisionReport(Rows[Volume]):
    """The volumes that were made, and how the log volumes are divided."""

    volumes: tuple[Volume, ...]
    already: bool = False
    logs: tuple[LogSplit, ...] = ()
    warnings: tuple[Note, ...] = ()
    schema: str = "srshell.provision/1"
    ROWS: ClassVar[str] = "volumes"
