"""A fabric in this process: every verb carried out here, each change as a job under its lock.

Always true:

(1) A change is checked under the lock that it is carried out under: what was true for the rules is
    true for the work.
(2) A dry run takes no lock, makes no job and changes nothing.
(3) Who stops waiting for a change does not stop it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from srshell.fabric.api import FabricApi
from srshell.fabric.calls import DEFAULT_TIMEOUT_SECONDS
from srshell.fabric.change import SETUP, Change
from srshell.fabric.context import Context
from srshell.fabric.job_report import still_running
from srshell.fabric.jobs import JobHandle
from srshell.fabric.planning.several import as_one, plan_one, run_plan
from srshell.fabric.verb import EXPECT, Name, complete
from srshell.fabric.verbs import (
    branches,
    copying,
    groups,
    machines,
    options,
    plots,
    refreshing,
    replication,
    roles,
    storage,
    topology,
    verifying,
    volumes,
    watching,
)
from srshell.fabric.volume_api import FabricVolume
from srshell.fabric.worlds import check_world, keepable, world_of
from srshell.model.errors import SrError
from srshell.model.inventory import Event
from srshell.model.report import JobReport, PlanReport
from srshell.site.api import SiteApi

#: Verb to the function that carries it out; a function that changes things returns a `Change`.
HANDLERS: dict[str, Callable[..., Awaitable[Any]]] = {
    function.__name__: function
    for function in (
        storage.identify, storage.discover, storage.manage_pool, storage.classify,
        storage.pair, storage.unpair, storage.rename, storage.arrays, storage.pools,
        storage.pairs,
        volumes.volumes, volumes.provision, volumes.provision_pair, volumes.remove_volume,
        volumes.nbd,
        groups.group, groups.groups, groups.create_group, groups.remove_group,
        options.set_policy, groups.enable, copying.copies, copying.set_copy_rate,
        refreshing.refresh,
        replication.wait, replication.status, verifying.verify, replication.suspend,
        replication.resume, replication.resolve, replication.teardown,
        branches.branches, branches.branch, branches.export_branch, branches.keep_branch,
        branches.remove_branch,
        roles.prepare, roles.failover, roles.failback,
        plots.lag, plots.trace_write, plots.drawing, plots.drill,
        machines.vms, machines.add_vm, machines.remove_vm, machines.check_vm,
        watching.info, watching.events, watching.jobs, watching.job, watching.explain,
        watching.why, watching.restart, watching.fault, topology.topology,
    )
}  # fmt: skip

#: Changes of one partnership: they exclude one another, and nothing else.  So do plans that are
#: carried out; each of their commands takes the lock of its own.
_OF_PARTNERSHIP = frozenset(
    {
        "set_policy", "prepare", "failover", "failback",
        "suspend", "resume", "resolve", "teardown", "verify", "run_plan",
    }
)  # fmt: skip


class FabricSession(FabricApi):
    """The verbs over a `Context`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        #: What goes on beside the verbs; ended by `srshell.fabric.opening.close_session`.
        self.tasks: list[asyncio.Task[None]] = []

    async def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Carry out a verb."""
        full = complete(verb, arguments)
        handler = self._handler(verb)
        if "dry_run" not in full:
            return await handler(self.context, **full)
        dry_run, wait, timeout = full.pop("dry_run"), full.pop("wait"), full.pop("timeout", None)
        expect, typed = full.pop(EXPECT, ""), dict(full)
        if "confirm" in full:
            full["ask"] = not dry_run

        async def prepare() -> Change:
            if expect:
                # Whether the plan still holds comes before whether it is confirmed.
                unasked = {**full, "ask": False} if "ask" in full else full
                check_world(self.context, await handler(self.context, **unasked), str(expect))
            change = await handler(self.context, **full)
            assert isinstance(change, Change), verb
            return change

        if dry_run:
            return await self._plan(verb, typed, await prepare())
        begun = await self._begin(verb, prepare)
        if not isinstance(begun, JobHandle):
            return begun
        if not wait:
            return JobReport(begun.job)
        assert timeout is None or isinstance(timeout, int | float)
        return await self._result(begun, timeout)

    def _handler(self, verb: str) -> Callable[..., Awaitable[Any]]:
        """What carries a verb out; a plan is carried out by the other verbs."""
        if verb == "run_plan":
            return partial(run_plan, handlers=HANDLERS, perform=self.perform)
        return HANDLERS[verb]

    async def _plan(self, verb: str, typed: dict[str, Any], change: Change) -> PlanReport:
        """The plan of a change, with what comes of it on a copy of the fabric."""
        if change.parts:
            plan = as_one(change.plan, typed["lines"])
        else:
            plan = await plan_one(self.context, HANDLERS, verb, typed, change.plan)
        return keepable(plan, verb, typed, world_of(self.context, change))

    async def _begin(
        self, verb: str, prepare: Callable[[], Awaitable[Change]]
    ) -> JobHandle | object:
        """Check a change and begin its job; its result at once when nothing is left to do."""
        setup = None if verb in _OF_PARTNERSHIP else self.context.setup
        if setup is not None:
            await setup.acquire()
        try:
            change = await prepare()
            if change.already is not None:
                if setup is not None:
                    setup.release()
                return change.already
            self._refuse_if_busy(change)
        except BaseException:
            if setup is not None:
                setup.release()
            raise
        return self._start(change, setup)

    def _refuse_if_busy(self, change: Change) -> None:
        """One change of a partnership at a time.

        Raises:
            SrError: SR6009.
        """
        holder = self.context.busy.get(change.exclusive)
        if holder is not None:
            raise SrError.make("SR6009", facts=holder, group=change.about, holder=holder)

    def _start(self, change: Change, setup: asyncio.Lock | None) -> JobHandle:
        """Begin the job of a change; from here on the job holds the lock."""
        context = self.context

        async def work(handle: JobHandle) -> object:
            try:
                result = await change.carry_out(handle)
            finally:
                context.busy.pop(change.exclusive, None)
                if setup is not None:
                    setup.release()
                context.pulse.beat()
            return result if change.afterwards is None else await change.afterwards(handle, result)

        handle = context.jobs.start(change.command, change.about, change.steps, work)
        if change.exclusive != SETUP:
            context.busy[change.exclusive] = f"job {handle.job.id} ({change.command})"
        return handle

    async def _result(self, handle: JobHandle, timeout: float | None) -> object:
        """Wait for a job, at most as long as was said."""
        limit = DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout
        try:
            async with asyncio.timeout(limit):
                return await self.context.jobs.result(handle)
        except TimeoutError:
            raise still_running(handle.job, limit) from None

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Events as they happen."""
        async for event in self.context.journal.follow(after):
            yield event

    def volume(self, name: Name) -> FabricVolume:
        """The bytes of a volume."""
        return FabricVolume(str(name), self._locate)

    async def _locate(self, name: str) -> SiteApi:
        return self.context.site(self.context.snapshot.volume(name).array)

    async def close(self) -> None:
        """End the owner's part; `srshell.fabric.opening` ends the rest."""
        await self.context.jobs.close()
        self.context.journal.close()
