"""Sites are killed in the middle of planned failovers and failbacks, and frozen through others.

The scenes do what the fabric's owner does: seal, demote, promote; after a crash they look who gave
its role up and go on from there, or take the seal away and begin again.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaRole
from srshell.site.client import SiteClient
from tests.process.claims import Watch
from tests.process.deadlines import until
from tests.process.load import Load
from tests.process.pair import FABRIC, PARTNERSHIP, Pair, open_pair
from tests.process.scenes import Scene

STEPS: Final = ("seal", "demote", "promote")


@attrs.define(eq=False)
class Owner:
    """Changes roles as the owner does; once, at one step, some sites are killed."""

    pair: Pair
    dice: random.Random
    numbers: Iterator[int] = attrs.field(factory=itertools.count)

    async def switch(self, step: str, victims: tuple[str, ...], *, during: bool) -> None:
        """Make the other side primary; ``during``: kill while the step is under way."""
        crash: tuple[str, tuple[str, ...]] | None = (step, victims)
        while True:
            operation = f"change-{next(self.numbers)}"
            source, target = self.pair.primary, self.pair.secondary

            async def run(name: str, call: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
                nonlocal crash
                if crash is None or crash[0] != name:
                    return await call
                dying, crash = crash[1], None
                if not during:
                    result = await call
                    await self.pair.kill(dying)
                    return result
                return await self._interrupted(call, dying)

            lsn = await self._give_up_role(source, operation, run)
            if lsn is not None:
                await self._take_role(target, operation, lsn, run)
                self.pair.primary = target
                return
            await self.pair.live()

    async def _interrupted(self, call: Coroutine[Any, Any, Any], victims: tuple[str, ...]) -> Any:  # noqa: ANN401
        task = asyncio.create_task(call)
        # Somewhere between the request and its answer, elsewhere in each scene.
        await asyncio.sleep(self.dice.uniform(0, 0.03))
        await self.pair.kill(victims)
        return await task

    async def _give_up_role(
        self, source: str, operation: str, run: Callable[..., Any]
    ) -> int | None:
        """Seal and demote; return where the source ended, None if all was taken back."""
        site = self.pair.site(source)
        try:
            lsn: int = await run("seal", site.seal(PARTNERSHIP, operation))
        except SrError:
            await self._take_back(source, operation)
            return None
        epoch = (await self._asked(source)).epoch + 1
        try:
            await run("demote", site.demote(PARTNERSHIP, operation, epoch))
        except SrError:
            if (await self._asked(source)).role is ReplicaRole.PRIMARY:
                await self._take_back(source, operation)
                return None
        return lsn

    async def _asked(self, array: str) -> Any:  # noqa: ANN401
        return await self.pair.reported(array, lambda _: True, "there")

    async def _take_back(self, source: str, operation: str) -> None:
        async def ask() -> bool:
            try:
                await self.pair.site(source).unseal(PARTNERSHIP, operation)
            except SrError:
                return False
            return True

        await until(ask, f"{source} takes writes again")

    async def _take_role(
        self, target: str, operation: str, lsn: int, run: Callable[..., Any]
    ) -> None:
        async def ask() -> bool:
            call = self.pair.site(target).promote(PARTNERSHIP, operation, lsn, alone=False)
            try:
                await run("promote", call)
            except SrError as error:
                if error.code not in {"SR9301", "SR5310"}:
                    raise
                return False
            return True

        await until(ask, f"{target} leads")


def changing(*crashes: tuple[str, str]) -> Scene:
    """Change the roles there and back, and kill somebody in a step of each change.

    Failover and failback take the same steps; every second crash comes after its step, not in it.
    """

    async def scene(folder: Path) -> None:
        async with open_pair(folder) as pair, Watch(pair):
            owner = Owner(pair, random.Random(str(crashes)))
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                for number, (step, role) in enumerate(crashes):
                    sides = {"source": (pair.primary,), "destination": (pair.secondary,)}
                    victims = sides.get(role, pair.arrays)
                    await load.more(10)
                    await owner.switch(step, victims, during=number % 2 == 0)
                    await pair.live()
            await pair.check()

    return scene


def freezing(policy: OnPeerLoss) -> Scene:
    """Stop the source, fail over without it, let it go on: it may acknowledge nothing alone."""

    async def scene(folder: Path) -> None:
        async with open_pair(folder, on_peer_loss=policy) as pair, Watch(pair) as watch:
            old = SiteClient(
                "A", pair.site("A").socket, fabric=FABRIC, owner_term=None, silence_seconds=300
            )
            first, second = pair.places()
            async with Load(pair.ledger, lambda: (old, "volA"), [first], workers=8) as load:
                await load.more(40)
                await pair.signal("A", signal.SIGSTOP)
                watch.expect_superseded("A")
                await pair.site("B").promote(PARTNERSHIP, "unplanned", None, alone=True)
                pair.primary = "B"
                async with Load(pair.ledger, pair.target, [second], seed=8) as new_load:
                    await new_load.more(40)
                    await pair.signal("A", signal.SIGCONT)
                    await pair.live()
                    await new_load.more(10)
            await pair.check()
            await old.close()

    return scene


SCENES: Final[dict[str, Scene]] = {
    "the source is killed, then both": changing(
        ("seal", "source"),
        ("promote", "source"),
        ("demote", "source"),
        ("demote", "both"),
        ("promote", "both"),
    ),
    "the destination is killed, then both": changing(
        ("promote", "destination"),
        ("demote", "destination"),
        ("seal", "destination"),
        ("seal", "both"),
        ("demote", "both"),
    ),
    "the source is frozen, its policy is suspend-io": freezing(OnPeerLoss.SUSPEND_IO),
    "the source is frozen, its policy is continue": freezing(OnPeerLoss.CONTINUE),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_role_changes_survive_when(scene: str, played: Callable[[str], None]) -> None:
    """There is one primary at the most, and it holds every acknowledged write."""
    played(scene)
