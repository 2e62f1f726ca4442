"""What the fabric's owner asks of an engine: run sites, reach them, tell what a dead one left.

Always true:

(1) A site runs when that is wanted and is left alone when it is held; nobody else starts one.
(2) A site that lives but does not answer is frozen, not dead: no second one is started beside it,
    and its files are not read.
(3) An engine says what an acknowledgement guarantees; the fabric never shows more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import attrs

from srshell.model.commits import Commits
from srshell.model.replica import Superblock
from srshell.site.api import SiteApi


class RpoGuarantee(StrEnum):
    """What an engine promises about acknowledged writes when the source is lost."""

    ZERO = "zero"  # none is lost while the group is in sync
    BOUNDED = "bounded"  # those of the last moments may be lost; the engine says how many
    NONE = "none"  # unknown


class SiteState(StrEnum):
    """How the process of a site is doing, as its supervisor sees it."""

    STARTING = "starting"  # started, does not answer yet
    RUNNING = "running"  # answers
    FROZEN = "frozen"  # lives, does not answer
    WAITING = "waiting"  # ended by itself; will be started again after a pause
    HELD = "held"  # stopped on purpose; stays down until it is released


@attrs.frozen
class SitePlan:
    """How a site is to be run; kept in the catalogue."""

    array: str
    link_address: str = ""  # empty: a Unix socket in the fabric's runtime directory
    sandbox: bool = False
    commits: Commits = Commits.AUTO


@attrs.frozen
class SiteStanding:
    """What the supervisor knows of one site."""

    array: str
    state: SiteState
    pid: int = 0  # 0 while no process lives
    since_unix: float = 0.0  # when it came into this state
    restarts: int = 0  # how often it was started again since it was released last
    problem: str = ""  # why it ended or could not start, in one line


@attrs.frozen
class Evidence:
    """What the files of a dead site prove; read under its lock, so nobody writes meanwhile."""

    log_path: str
    superblock: Superblock
    tail_lsn: int  # last LSN that is durable in the log
    #: Writes may have been acknowledged that the peer does not hold.
    alone: bool

    def acknowledged_beyond(self, lsn: int) -> int:
        """How many acknowledged writes may be lost if a peer that holds up to ``lsn`` takes over.

        Without ``alone`` no write was acknowledged before the peer had it.
        """
        return max(0, self.tail_lsn - lsn) if self.alone else 0


class Backend(Protocol):
    """Runs the sites of a fabric.  Every method may raise `SrError`."""

    @property
    def name(self) -> str:
        """Name of the engine."""

    @property
    def rpo_guarantee(self) -> RpoGuarantee:
        """What an acknowledgement is worth."""

    async def start(self, plan: SitePlan, *, held: bool = False) -> SiteStanding:
        """Watch over a site from now on: find it running, or start it unless it is held.

        Returns when the site answers.

        Raises:
            SrError: the site's own reason for not starting; SR9301, it ended without one; SR1105,
                it does not answer.  It is watched and started again all the same.
        """

    def site(self, array: str) -> SiteApi:
        """Return the connection to a site; its verbs raise SR9301 or SR9302 while it is down.

        Raises:
            SrError: SR1107, the array is unknown.
        """

    def link_address(self, array: str) -> str:
        """Return where peers find the site, also while it is down."""

    def standing(self, array: str) -> SiteStanding:
        """Tell how a site is doing."""

    def subscribe(self, listener: Callable[[SiteStanding], None]) -> None:
        """Call ``listener`` from the event loop whenever a standing changes."""

    async def hold(self, array: str, *, kill: bool = False) -> SiteStanding:
        """Stop a site and do not start it again; ``kill``: at once, as a failure would."""

    async def release(self, array: str) -> SiteStanding:
        """Start a held site again, as `start` does; a running one is left alone."""

    async def kill(self, array: str) -> None:
        """Let the process die as a failure would, without holding the site."""

    async def forget(self, array: str) -> None:
        """Stop a site and watch it no more; what it hosts stays on disk."""

    async def evidence(self, array: str, log_path: str) -> Evidence:
        """Read what a dead site left, without changing it.

        Raises:
            SrError: SR6018, the site still lives; SR9221, somebody has the log; SR9210, SR9211 or
                SR9220, it cannot be read.
        """

    async def close(self, *, stop_sites: bool = False) -> None:
        """Watch no more; sites go on, unless they are to be stopped."""
