"""The fabric that the commands of a shell speak to.

Always true:

(1) The fabric is found, or its owner started, by the first command that needs it; loading the
    extension asks nobody.
(2) The owner outlives the shell: after a restart of the kernel the next command finds it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

import attrs


class Fabric(Protocol):
    """What a command needs of a fabric; `srshell.connect` returns one."""

    def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Carry out a verb by its name."""

    def stop_owner(self, *, keep_sites: bool = False) -> Any:  # noqa: ANN401
        """Tell the owner to end."""

    def close(self) -> None:
        """Hang up."""


@attrs.frozen
class Wanted:
    """Which fabric a person means, and how."""

    name: str | None = None  # None: what the environment says, else the user's own
    start: bool = True
    sandbox: bool = False
    profile: str | None = None

    def key(self) -> tuple[str, str]:
        """Two that are equal mean the same fabric."""
        from srshell.fabric.place import VARIABLE

        return self.name or "", "" if self.name else os.environ.get(VARIABLE, "")


class Connection:
    """The fabric of one shell, connected when it is needed."""

    def __init__(self) -> None:
        self.wanted = Wanted()
        self._fabric: Fabric | None = None
        self._key = ("", "")

    @property
    def connected(self) -> Fabric | None:
        """The fabric, if it was connected before."""
        return self._fabric

    def fabric(self) -> Fabric:
        """The fabric that is meant now.

        Raises:
            SrError: SR9001, no owner answers and none could be started.
        """
        key = self.wanted.key()
        if self._fabric is not None and key != self._key:
            self.close()
        if self._fabric is None:
            from srshell.fabric.sync_client import connect

            wanted = self.wanted
            self._fabric = connect(
                wanted.name, start=wanted.start, sandbox=wanted.sandbox, profile=wanted.profile
            )
            self._key = key
        return self._fabric

    def attach(self, wanted: Wanted) -> Fabric:
        """Speak to another fabric from now on; the one before stays if this one does not answer."""
        before, fabric, key = self.wanted, self._fabric, self._key
        self.wanted, self._fabric = wanted, None
        try:
            found = self.fabric()
        except BaseException:
            self.wanted, self._fabric, self._key = before, fabric, key
            raise
        if fabric is not None:
            fabric.close()
        return found

    def use(self, fabric: Fabric) -> None:
        """Speak to a fabric that is connected already."""
        self.close()
        self._fabric, self._key = fabric, self.wanted.key()

    def close(self) -> None:
        """Hang up; the owner goes on."""
        fabric, self._fabric = self._fabric, None
        if fabric is not None:
            fabric.close()
