"""The fabric for those who cannot await: a prompt, a notebook cell, a script.

Always true:

(1) Every verb of `FabricApi` is a method here, with the same arguments; it blocks and returns the
    result.  ``aio`` is the same fabric for those who can await.
(2) The loop runs in a thread of its own, so a notebook's running loop is no obstacle.
(3) An interrupt ends the waiting, never the work: a change that was begun raises `JobDetached`.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from srshell.fabric.api import FabricApi
from srshell.fabric.control_client import Begun, FabricClient
from srshell.fabric.job_report import JobDetached
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import find_place
from srshell.fabric.threads import LoopThread
from srshell.fabric.verb import VERBS, Name
from srshell.fabric.volume_api import FabricVolume
from srshell.model.inventory import Event
from srshell.model.report import JobReport, PlanReport


class SyncVolume:
    """The bytes of a volume; see `FabricVolume` for what each method raises."""

    def __init__(self, aio: FabricVolume, loop: LoopThread) -> None:
        self.aio = aio
        self.name = aio.name
        self._loop = loop

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes at ``offset``."""
        return self._loop.run(self.aio.read(offset, length))

    def write(self, offset: int, data: bytes) -> None:
        """Store bytes; they are durable, in both logs where there are two, when this returns."""
        self._loop.run(self.aio.write(offset, data))

    def flush(self) -> None:
        """Make durable what was answered before."""
        self._loop.run(self.aio.flush())

    def trim(self, offset: int, length: int) -> None:
        """Give the space of a range back; it reads as zeros then."""
        self._loop.run(self.aio.trim(offset, length))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<volume {self.name}>"


class SyncFabric:
    """A fabric whose verbs block."""

    def __init__(self, aio: FabricClient) -> None:
        self.aio = aio
        #: Sees the job of a change while it is waited for, in the thread that waits.
        self.observe: Callable[[JobReport], None] | None = None
        self._loop = LoopThread()

    def connect(self) -> SyncFabric:
        """Make sure that an owner answers, and return this fabric."""
        self._loop.run(self.aio.connect())
        return self

    def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Carry out a verb by its name.

        Raises:
            SrError: the verb was refused or failed; JobDetached: the waiting was interrupted.
        """
        begun = self._loop.run(self.aio.begin(verb, arguments))
        try:
            while isinstance(begun, Begun):
                if self.observe is not None:
                    self.observe(begun.report)
                if begun.ended:
                    return begun.result()
                begun = self._loop.run(self.aio.look(begun))
        except KeyboardInterrupt:
            assert isinstance(begun, Begun)
            raise JobDetached(begun.report.job) from None
        return begun

    def plan(self, verb: str, **arguments: object) -> PlanReport:
        """What a changing verb would do; nothing is changed."""
        plan: PlanReport = self.perform(verb, {**arguments, "dry_run": True})
        return plan

    def start(self, verb: str, **arguments: object) -> JobReport:
        """Begin a changing verb and return its job at once."""
        job: JobReport = self.perform(verb, {**arguments, "wait": False})
        return job

    def follow(self, after: int = 0) -> Iterator[Event]:
        """Events with an id beyond ``after``, as they happen."""
        events = self.aio.follow(after)

        async def following() -> Event | None:
            return await anext(events, None)

        try:
            while (event := self._loop.run(following())) is not None:
                yield event
        finally:
            self._loop.run(_close(events))

    def volume(self, name: Name) -> SyncVolume:
        """The bytes of a volume, straight from its site."""
        return SyncVolume(self.aio.volume(name), self._loop)

    def stop_owner(self, *, keep_sites: bool = False) -> Any:  # noqa: ANN401
        """Tell the owner to end, and its sites too unless they are kept."""
        return self._loop.run(self.aio.stop_owner(keep_sites=keep_sites))

    def close(self) -> None:
        """Hang up; the owner goes on."""
        self._loop.run(self.aio.close())
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<fabric {self.aio.place.directory}>"

    if TYPE_CHECKING:
        # The verbs are made below from those of `FabricApi`.
        def __getattr__(self, name: str) -> Callable[..., Any]: ...


async def _close(events: AsyncIterator[Event]) -> None:
    """End a subscription."""
    if isinstance(events, AsyncGenerator):
        await events.aclose()


def _blocking(name: str) -> Callable[..., Any]:
    """The verb ``name`` as a method that blocks."""
    declared = getattr(FabricApi, name)
    signature = inspect.signature(declared)

    @functools.wraps(declared)
    def call(*args: object, **kwargs: object) -> Any:  # noqa: ANN401
        arguments = dict(signature.bind(*args, **kwargs).arguments)
        fabric = arguments.pop("self")
        assert isinstance(fabric, SyncFabric)
        return fabric.perform(name, arguments)

    return call


for _name in VERBS:
    setattr(SyncFabric, _name, _blocking(_name))


def connect(
    name_or_path: str | os.PathLike[str] | None = None,
    *,
    read_only: bool = False,
    start: bool = True,
    sandbox: bool = False,
    profile: str | None = None,
) -> SyncFabric:
    """Connect to a fabric, starting its owner if none runs.

    Args:
        name_or_path: the fabric's directory or name; the user's own when not given.
        read_only: whether verbs that change something are refused.
        start: whether an owner may be started.
        sandbox: make the fabric a sandbox, if it is new: faults may be injected there.
        profile: rules to keep, if the fabric is new: native or seed-strict.

    Raises:
        SrError: SR9001, no owner answers; SR9006, the directory cannot be used.
    """
    options = OwnerOptions(sandbox=sandbox, profile=profile)
    place = find_place(name_or_path)
    return SyncFabric(
        FabricClient(place, start=start, options=options, read_only=read_only)
    ).connect()
