"""How a site is set up: who it is, where its files and sockets lie."""

from __future__ import annotations

from pathlib import Path

import attrs

from srshell.engine.world import Limits
from srshell.model.commits import Commits
from srshell.site.rundir import socket_path


@attrs.frozen
class SiteSettings:
    """What a site is told when it is started; all paths are absolute."""

    array: str
    fabric: str  # identity of the fabric
    directory: Path  # of this site alone: its record, lock and log
    run_directory: Path  # of the fabric: sockets
    link_address: str = ""  # empty: a Unix socket in the runtime directory
    owner_term: int = 0
    sandbox: bool = False  # faults may be injected
    own_process: bool = False  # nobody else lives in this process
    commits: Commits = Commits.AUTO  # of its logs
    limits: Limits = attrs.field(factory=Limits)

    @property
    def record_path(self) -> Path:
        """What the site remembers."""
        return self.directory / "site.json"

    @property
    def lock_path(self) -> Path:
        """Held by whoever is this site; its note is the process."""
        return self.directory / "site.lock"

    @property
    def log_path(self) -> Path:
        """What the process has to say beyond events."""
        return self.directory / "site.log"

    @property
    def rpc_socket(self) -> Path:
        """Where the owner connects."""
        return socket_path(self.run_directory, self.array, "site")

    @property
    def nbd_socket(self) -> Path:
        """Where NBD clients connect."""
        return socket_path(self.run_directory, self.array, "nbd")

    @property
    def listen_address(self) -> str:
        """Where peers connect."""
        return self.link_address or f"unix:{socket_path(self.run_directory, self.array, 'link')}"
