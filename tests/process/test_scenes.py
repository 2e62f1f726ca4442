"""The stage that scenes are played on: a failure is the scene's own, and nothing is left behind."""

import asyncio
import threading
from pathlib import Path

import pytest

from tests.process.scenes import Stage


async def good(folder: Path) -> None:
    assert folder.name == "1"


async def bad(folder: Path) -> None:
    raise ValueError(folder)


def test_a_scene_that_fails_harms_no_other(tmp_path: Path) -> None:
    """Each in a folder of its own."""
    with Stage({"bad": bad, "good": good}, tmp_path) as stage:
        stage.outcome("good")
        with pytest.raises(ValueError, match=r"/0$"):
            stage.outcome("bad")


def test_a_scene_that_is_under_way_is_ended_in_good_order(tmp_path: Path) -> None:
    """As after Ctrl-C: its processes and mounts are put away before the stage is left."""
    begun, ended = threading.Event(), threading.Event()

    async def endless(_: Path) -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    with Stage({"endless": endless}, tmp_path):
        assert begun.wait(30)
    assert ended.is_set()
