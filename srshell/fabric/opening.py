"""Opening a fabric: catalogue, sites, what was cut short; for the owner process and in process.

Always true:

(1) The lock of the fabric is held from before the catalogue is opened until after it is closed.
(2) Every owner has a higher term than all before it, durably, before it speaks to a site.
(3) Sites are asked what they are; nothing is pushed at them to make them match the catalogue.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import attrs

from srshell.backends.base import Backend
from srshell.fabric.catalogue import Catalogue
from srshell.fabric.clock import Clock
from srshell.fabric.context import Context
from srshell.fabric.copying import keep_told
from srshell.fabric.observer import Observer
from srshell.fabric.place import FabricPlace, OwnerLock, find_place
from srshell.fabric.recovery import keep_going
from srshell.fabric.session import FabricSession
from srshell.fabric.verbs.branches import let_expire
from srshell.fabric.verbs.machine_processes import stop_machine
from srshell.fabric.verbs.storage import site_plan
from srshell.fabric.verbs.verifying import verify_when_due
from srshell.model.commits import Commits
from srshell.model.errors import SrError
from srshell.model.inventory import Array, DesiredState, Profile, Site

LOG = logging.getLogger(__name__)

#: Makes the backend: fabric directory, identity of the fabric, term of the owner.
MakeBackend = Callable[[Path, str, int], Backend]


def native_backend(directory: Path, fabric: str, owner_term: int) -> Backend:
    """Sites as processes of their own."""
    from srshell.backends.native import NativeBackend

    return cast("Backend", NativeBackend(directory, fabric, owner_term))


def embedded_backend(directory: Path, fabric: str, owner_term: int) -> Backend:
    """Sites in this process."""
    from srshell.backends.embedded import EmbeddedBackend

    return cast("Backend", EmbeddedBackend(directory, fabric, owner_term))


@attrs.frozen
class NewFabric:
    """What a fabric is when it is made; an existing one keeps what it is."""

    sandbox: bool = False
    profile: str | None = None


def open_catalogue(place: FabricPlace, new: NewFabric) -> Catalogue:
    """Open the catalogue, making it first when there is none.

    Raises:
        SrError: SR9201, SR9202, SR9006: it cannot be used; SR0108, the fabric is of another kind.
    """
    fresh = not place.catalogue.exists()
    catalogue = Catalogue.open(place.catalogue, secrets.token_hex(16))
    if fresh:
        catalogue.set_setting("sandbox", "yes" if new.sandbox else "no")
        catalogue.set_setting("profile", new.profile or Profile.NATIVE.value)
    return catalogue


async def open_session(
    place: FabricPlace,
    make_backend: MakeBackend,
    *,
    new: NewFabric | None = None,
    clock: Clock | None = None,
    socket: str = "",
    in_process: bool = False,
    commits: Commits = Commits.AUTO,
) -> FabricSession:
    """Open a fabric whose lock is held: start or find its sites, go on with what was cut short.

    Raises:
        SrError: the catalogue cannot be used; a site that does not start is told in the journal.
    """
    catalogue = open_catalogue(place, new or NewFabric())
    try:
        term = catalogue.next_owner_term()
        backend = make_backend(place.directory, catalogue.fabric, term)
        context = Context(
            place=place,
            catalogue=catalogue,
            backend=backend,
            clock=clock or Clock(),
            owner_term=term,
            owner_pid=os.getpid(),
            socket=socket,
            sandbox=catalogue.setting("sandbox") == "yes",
            in_process=in_process,
            commits=commits,
        )
        await _start_sites(context)
    except BaseException:
        catalogue.close()
        raise
    unfinished = catalogue.unfinished_operations()
    context.jobs.abandon(frozenset(op.job for op in unfinished if op.job is not None))
    session = FabricSession(context)
    observer = Observer(context)
    observer.look()
    session.tasks = [
        asyncio.create_task(observer.run(), name="observer"),
        asyncio.create_task(keep_going(context), name="recovery"),
        asyncio.create_task(let_expire(context), name="expiry"),
        asyncio.create_task(verify_when_due(session), name="verification"),
        asyncio.create_task(keep_told(context), name="rates of copies"),
    ]
    return session


async def _start_sites(context: Context) -> None:
    """Start or find all sites at once; one that was never finished is forgotten."""
    known = {array.name for array in context.catalogue.all(Array)}
    sites = context.catalogue.all(Site)
    await asyncio.gather(*(_start_site(context, site) for site in sites if site.array in known))
    for site in sites:
        if site.array not in known:
            with suppress(SrError):
                await context.sites.start(site_plan(context, site.array), held=True)
                await context.sites.forget(site.array)
            context.remove(Site, site.array)


async def _start_site(context: Context, site: Site) -> None:
    """Start or find one site; what keeps it from starting is told, and it is tried again."""
    try:
        held = site.desired is DesiredState.HELD
        await context.sites.start(site_plan(context, site.array), held=held)
    except SrError as error:
        LOG.warning("site %s: %s", site.array, error)
        context.journal.say("SR9301", site.array, f"{error} {error.facts}", array=site.array)


async def close_session(session: FabricSession, *, stop_sites: bool) -> None:
    """End an owner's part; sites and machines go on unless they are to be stopped."""
    context = session.context
    for task in session.tasks:
        task.cancel()
    await asyncio.gather(*session.tasks, return_exceptions=True)
    await session.close()
    if stop_sites:
        async with context.machine_lock:
            for vm in context.snapshot.vms:
                await stop_machine(context, vm)
    await context.sites.close(stop_sites=stop_sites)
    context.catalogue.close()


@asynccontextmanager
async def open_fabric(
    path: str | os.PathLike[str] | None = None,
    *,
    sandbox: bool = False,
    profile: str | None = None,
    make_backend: MakeBackend | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[FabricSession]:
    """A fabric in this process: its owner and its sites live in this event loop.

    Args:
        path: the fabric's directory or name; the user's own when not given.
        sandbox: make a new fabric one in which faults may be injected.
        profile: rules of a new fabric: native or seed-strict.
        make_backend: runs the sites; sites in this process when not given.
        clock: tells the time.

    Raises:
        SrError: SR9005, it has an owner already; SR9006, the directory cannot be used.
    """
    place = find_place(path)
    place.make()
    lock = OwnerLock(place)
    if not lock.take():
        raise SrError.make("SR9005", fabric=str(place.directory))
    lock.sign()
    try:
        session = await open_session(
            place,
            make_backend or embedded_backend,
            new=NewFabric(sandbox, profile),
            clock=clock,
            in_process=True,
        )
        try:
            yield session
        finally:
            await close_session(session, stop_sites=True)
    finally:
        lock.release()
