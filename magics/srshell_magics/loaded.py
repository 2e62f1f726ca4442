"""What loading leaves in a shell: its settings, and the commands once one is used.

Always true: the session is imported by the first command, not by `%load_ext`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from srshell_magics.console import Console
    from srshell_magics.settings import SRShell

#: Every magic, as `srshell_magics.names` makes them from the registry, which takes too long to
#: import before it is needed; a test compares the two.
NAMES = (
    "addvm", "apply", "arrays", "branch", "branches", "classify", "copies", "dash",
    "dashboard", "discover", "enable", "events", "explain", "fabric", "failback", "failover",
    "fault", "group", "groups", "identify", "info", "job", "jobs", "lab", "lag",
    "manage-pool", "manage_pool", "map", "nbd", "pair", "pairs", "plan", "pools", "prepare",
    "provision", "refresh", "rename", "report", "resolve", "restart", "resume", "rmvm", "sr",
    "status", "suspend", "teardown", "topology", "trace", "unpair", "verify", "vm", "vms",
    "volume", "volumes", "wait", "why",
)  # fmt: skip


class Loaded:
    """The commands of one shell."""

    def __init__(self, shell: InteractiveShell, settings: SRShell) -> None:
        self.shell = shell
        self.settings = settings
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """Carries the commands out."""
        if self._console is None:
            from srshell_magics.console import Console

            self._console = Console(self.shell, self.settings)
        return self._console

    def close(self) -> None:
        """Hang up, if anything was ever asked."""
        if self._console is not None:
            self._console.connection.close()
