"""Scenes of a file are played together, when the first of its tests asks how its own went."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.scenes import Scene, play


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, BaseException | None]:
    """How each scene ended that was asked for: those of ``SCENES`` in the test's file."""
    module = request.node.obj
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = {test.name for test in tests if test.module is module}
    scenes: dict[str, Scene] = {
        name: scene
        for name, scene in module.SCENES.items()
        if any(f"[{name}]" in test for test in asked)
    }
    return play(scenes, tmp_path_factory.mktemp("p"))


@pytest.fixture
def played(outcomes: dict[str, BaseException | None]) -> Callable[[str], None]:
    """Raise what a scene failed with."""

    def check(scene: str) -> None:
        error = outcomes[scene]
        if error is not None:
            raise error

    return check


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: the paths of sockets are limited."""
    return tmp_path_factory.mktemp("p")
