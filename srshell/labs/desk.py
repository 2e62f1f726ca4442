"""Where a student works: the sandbox of a lab, and what checks can see of it.

Always true:

(1) A check sees the fabric, its journal and its data; never what a student typed.
(2) A verdict is passed, failed, or undecided when it cannot be known yet, and says what was seen.
(3) Everything of a lab lies below one folder; faults are injected in its sandbox alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from srshell.fabric.calls import parse_line
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace
from srshell.fabric.sync_client import SyncFabric
from srshell.labs.book import fill
from srshell.model.errors import SrError
from srshell.model.inventory import Event
from srshell.model.report import GroupStatus

#: What a seed decided, by name; a path stands for a place in the sandbox.
Facts = dict[str, str | int | float | Path]
_EVENTS_MAX = 100_000


@attrs.frozen
class Verdict:
    """What a check saw."""

    word: str  #: passed, failed, undecided
    text: str


def passed(text: str) -> Verdict:
    """It is as it should be."""
    return Verdict("passed", text)


def failed(text: str) -> Verdict:
    """It is not; the text says what was seen and what is needed."""
    return Verdict("failed", text)


def undecided(text: str) -> Verdict:
    """It cannot be known yet; the text says what is missing."""
    return Verdict("undecided", text)


def judged(good: object, seen: str) -> Verdict:
    """Passed if it is good, else failed; the same words either way."""
    return passed(seen) if good else failed(seen)


@attrs.define(eq=False)
class Desk:
    """The sandbox of one lab."""

    folder: Path
    seed: int
    facts: Facts
    answers: dict[str, str] = attrs.Factory(dict)
    #: What the lab itself has to remember between commands, such as the hash of a decoy.
    notes: dict[str, Any] = attrs.Factory(dict)
    _fabric: SyncFabric | None = attrs.field(default=None, init=False)

    @property
    def fabric_path(self) -> Path:
        """The directory of the sandbox's fabric."""
        return self.folder / "fabric"

    @property
    def fabric(self) -> SyncFabric:
        """The sandbox's fabric; its owner is started when none runs."""
        if self._fabric is None:
            place = FabricPlace(self.fabric_path)
            client = FabricClient(place, options=OwnerOptions(sandbox=True))
            self._fabric = SyncFabric(client).connect()
        return self._fabric

    def path(self, name: str) -> Path:
        """A place of the lab, beside its fabric."""
        return self.folder / name

    def do(self, line: str) -> Any:  # noqa: ANN401 - whatever the command returns
        """Carry out a command line, with the facts of the lab filled in."""
        call = parse_line(fill(line, self.facts))
        return self.fabric.perform(call.method, call.arguments)

    def clear(self) -> None:
        """Stop the sandbox and remove all that it holds."""
        self.stop()
        for place in self.notes.get("elsewhere", ()):
            shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)

    def stop(self) -> None:
        """Stop the sandbox's owner, its sites and its machines."""
        from srshell.fabric.launch import await_release, try_connect

        self.close()
        place = FabricPlace(self.fabric_path)
        http = try_connect(place) if self.fabric_path.is_dir() else None
        if http is None:
            return
        with suppress(SrError):
            fabric = SyncFabric(FabricClient(place, start=False)).connect()
            fabric.stop_owner()
            fabric.close()
        http.close()
        await_release(place)

    def close(self) -> None:
        """Hang up; the sandbox goes on."""
        fabric, self._fabric = self._fabric, None
        if fabric is not None:
            fabric.close()

    # --- what checks ask ----------------------------------------------------------------------

    def status(self, group: str) -> GroupStatus | None:
        """A group as it is now; None while there is none of that name."""
        for row in self.fabric.status():
            if row.name == group:
                found: GroupStatus = row
                return found
        return None

    def volume(self, name: str) -> Any:  # noqa: ANN401 - a row of the inventory
        """A volume; None while there is none of that name."""
        return next((volume for volume in self.fabric.volumes() if volume.name == name), None)

    def machine(self, name: str) -> Any:  # noqa: ANN401 - a row of the inventory
        """A machine; None while there is none of that name."""
        return next((vm for vm in self.fabric.vms() if vm.name == name), None)

    def events(self, code: str = "", about: str = "", after: int = 0) -> list[Event]:
        """The journal, or the part of it with one code, about one object, after one event."""
        rows = self.fabric.events(after=after, limit=_EVENTS_MAX)
        return [
            event
            for event in rows
            if code in {"", event.code} and about in {"", event.object} and event.id > after
        ]

    def jobs(self, words: str) -> list[Any]:
        """Jobs that ended well and whose command begins with these words, oldest first."""
        rows = [job for job in self.fabric.jobs() if job.command.startswith(words)]
        return [job for job in reversed(rows) if job.state.value == "done"]


@attrs.frozen
class Check:
    """A check of one task."""

    task: int
    points: float
    name: str
    look: Callable[[Desk], Verdict]


@attrs.define
class Checks:
    """The checks of one lab; `desk.py` of the lab fills it with the decorator."""

    found: list[Check] = attrs.Factory(list)

    def __call__(
        self, task: int, points: float, name: str
    ) -> Callable[[Callable[[Desk], Verdict]], Callable[[Desk], Verdict]]:
        """Enter a function as a check."""

        def enter(look: Callable[[Desk], Verdict]) -> Callable[[Desk], Verdict]:
            self.found.append(Check(task, points, name, look))
            return look

        return enter
