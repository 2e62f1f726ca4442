"""The engine keeps its promises in every directed scene, each of them where a rule is needed."""

import pytest

from srshell.simulation.scene_list import SCENES, run_scene


@pytest.mark.parametrize("name", SCENES)
def test_the_scene_ends_well(name: str) -> None:
    """In sync, equal, with every acknowledged write."""
    run_scene(name)


def test_a_primary_pulls_the_tail_that_its_peer_holds() -> None:
    """No seed of the test run gets there for certain."""
    assert run_scene("pulled tail")["wire: Pull"]


def test_every_story_says_what_it_is_about() -> None:
    """Its first line is printed where a mutant falls."""
    assert all((scene.story.__doc__ or "").strip() for scene in SCENES.values())
