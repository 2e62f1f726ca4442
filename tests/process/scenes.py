"""Scenes are played side by side: most of their time is waiting for timeouts of the real thing.

Always true:

(1) Each scene has its own folder and processes, and its failure is its own.
(2) They are played in the order of their tests, in a thread beside the other tests; when the stage
    is closed none goes on, and each has put away what it started.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

Scene = Callable[[Path], Coroutine[Any, Any, None]]

#: More would only fight over the cores.
_TOGETHER: Final = 6


class Stage:
    """Plays scenes for as long as the block lasts."""

    def __init__(self, scenes: Mapping[str, Scene], folder: Path) -> None:
        """Play nothing yet."""
        self._scenes = scenes
        self._folder = folder
        self._outcomes: dict[str, Future[None]] = {name: Future() for name in scenes}
        self._thread = threading.Thread(target=self._run, name="scenes", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._playing = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._playing.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._task is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def outcome(self, name: str) -> None:
        """Wait until a scene has been played; raise what it failed with."""
        self._outcomes[name].result()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._task = self._loop.create_task(self._play())
            self._playing.set()
            runner.run(self._end())

    async def _end(self) -> None:
        assert self._task is not None
        await asyncio.wait({self._task})

    async def _play(self) -> None:
        stage = asyncio.Semaphore(_TOGETHER)
        plays = (
            self._play_one(str(number), name, scene, stage)
            for number, (name, scene) in enumerate(self._scenes.items())
        )
        await asyncio.gather(*plays)

    async def _play_one(
        self, number: str, name: str, scene: Scene, stage: asyncio.Semaphore
    ) -> None:
        outcome = self._outcomes[name]
        async with stage:
            # A number: the paths of sockets have to be short.
            place = self._folder / number
            place.mkdir()
            try:
                await scene(place)
            except BaseException as error:
                outcome.set_exception(error)
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                outcome.set_result(None)
