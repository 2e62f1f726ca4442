"""Sites that are kept from running: the catalogue remembers why, so that a new owner keeps to it.

Always true: a site is held in the catalogue before its process is stopped, and released there
before it is started again.
"""

from __future__ import annotations

import attrs

from srshell.fabric.context import Context
from srshell.model.inventory import DesiredState, Site


def desired_state(context: Context, array: str) -> DesiredState:
    """What the process of a site is meant to do."""
    found = context.catalogue.get(Site, array)
    return found.desired if found else DesiredState.RUN


async def hold_site(context: Context, array: str, because: str) -> None:
    """Stop a site at once, as a failure would, and keep it from starting."""
    found = context.catalogue.get(Site, array) or Site(array, array)
    context.put(attrs.evolve(found, desired=DesiredState.HELD, held_because=because))
    await context.backend.hold(array, kill=True)
    context.journal.say("SR9302", array, because, array=array)


async def release_site(context: Context, array: str) -> None:
    """Let a site run again, and start it.

    Raises:
        SrError: it does not start; it is released all the same.
    """
    found = context.catalogue.get(Site, array) or Site(array, array)
    context.put(attrs.evolve(found, desired=DesiredState.RUN, held_because=""))
    await context.backend.release(array)
    await context.sites.look(array)
    context.journal.say("SR9303", array, array=array)
