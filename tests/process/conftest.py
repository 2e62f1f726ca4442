"""Scenes are played beside the other tests of this folder; each test asks how its own went.

The tests that ask come last, so that they wait as little as possible.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.scenes import Scene, Stage

_HERE = Path(__file__).parent

#: Many processes at once, on a machine that may have other things to do.
_PATIENCE_SECONDS = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of scenes behind the others of this folder, in a place of their own."""
    here = [index for index, item in enumerate(items) if item.path.parent == _HERE]
    ordered = sorted((items[index] for index in here), key=_of_scene)
    for index, item in zip(here, ordered, strict=True):
        items[index] = item
        item.add_marker(pytest.mark.timeout(_PATIENCE_SECONDS))


def _of_scene(item: pytest.Item) -> bool:
    return "played" in getattr(item, "fixturenames", ())


def _title(item: pytest.Item) -> str:
    """Return the name of a test's scene, told from those of other files."""
    assert isinstance(item, pytest.Function)
    return f"{item.path.stem}: {item.callspec.params['scene']}"


@pytest.fixture(scope="session", autouse=True)
def stage(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    compiled_once: None,
) -> Iterator[Stage]:
    """Play the scenes whose tests will run, and end what is left of them at the end."""
    scenes: dict[str, Scene] = {}
    for item in request.session.items:
        if item.path.parent == _HERE and _of_scene(item) and not _is_skipped(item):
            assert isinstance(item, pytest.Function)
            scenes[_title(item)] = item.module.SCENES[item.callspec.params["scene"]]
    with Stage(scenes, tmp_path_factory.mktemp("p")) as stage:
        yield stage


def _is_skipped(item: pytest.Item) -> bool:
    return any(mark.args[0] for mark in item.iter_markers("skipif"))


@pytest.fixture
def played(request: pytest.FixtureRequest, stage: Stage) -> Callable[[str], None]:
    """Raise what a scene failed with."""
    return lambda _: stage.outcome(_title(request.node))


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: the paths of sockets are limited."""
    return tmp_path_factory.mktemp("p")
