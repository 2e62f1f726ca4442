"""Scenes are played side by side: most of their time is waiting for timeouts of the real thing.

Always true: each scene has its own folder and processes, and its failure is its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

Scene = Callable[[Path], Coroutine[Any, Any, None]]

#: More would only fight over the cores.
_TOGETHER: Final = 5


def play(scenes: Mapping[str, Scene], folder: Path) -> dict[str, BaseException | None]:
    """Play scenes; return for each how it failed, None if it did not."""
    return asyncio.run(_play(scenes, folder))


async def _play(scenes: Mapping[str, Scene], folder: Path) -> dict[str, BaseException | None]:
    stage = asyncio.Semaphore(_TOGETHER)

    async def one(number: int, scene: Scene) -> None:
        async with stage:
            # A number: the paths of sockets have to be short.
            place = folder / str(number)
            place.mkdir()
            await scene(place)

    plays = (one(number, scene) for number, scene in enumerate(scenes.values()))
    outcomes = await asyncio.gather(*plays, return_exceptions=True)
    return dict(zip(scenes, outcomes, strict=True))
