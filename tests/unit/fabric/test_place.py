"""Where a fabric lives, and who owns it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from srshell.backends.launch import environment as environment_of_sites
from srshell.fabric.launch import child_environment
from srshell.fabric.place import FabricPlace, OwnerLock, default_directory, find_place
from srshell.model.errors import SrError


def test_a_path_a_name_the_environment_and_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name stands for a fabric of this user, unless a directory of that name is here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRSHELL_FABRIC", raising=False)
    assert find_place().directory == default_directory()
    assert find_place("lab").directory == default_directory().parent / "lab"
    (tmp_path / "lab").mkdir()
    assert find_place("lab").directory == tmp_path / "lab"
    assert find_place("./new").directory == tmp_path / "new"
    monkeypatch.setenv("SRSHELL_FABRIC", "elsewhere")
    assert find_place().directory == tmp_path / "elsewhere"


def test_the_directory_is_for_its_user_alone(tmp_path: Path) -> None:
    """Nobody else can enter it."""
    place = FabricPlace(tmp_path / "a" / "b")
    place.make()
    assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    """Somebody else could put a catalogue or a socket there."""
    tmp_path.chmod(0o777)
    with pytest.raises(SrError, match="SR9006") as refused:
        FabricPlace(tmp_path).make()
    assert "mode 777" in refused.value.facts


def test_a_directory_that_cannot_be_named_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catalogue and reports name it in UTF-8; a path from nowhere leads nowhere."""
    bytes_in_it = tmp_path / os.fsdecode(b"\xff")
    with pytest.raises(SrError, match="SR9006") as refused:
        FabricPlace(bytes_in_it).make()
    assert "UTF-8" in refused.value.facts
    assert not bytes_in_it.exists()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SrError, match="SR9006") as refused:
        find_place("./fabric")
    assert "removed" in refused.value.facts


@pytest.mark.parametrize("environment", [child_environment, environment_of_sites])
def test_what_is_started_keeps_its_assertions(
    environment: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may take them out of every Python; a site would refuse to run."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.setenv("KEPT", "1")
    found = environment()
    assert "PYTHONOPTIMIZE" not in found
    assert found["KEPT"] == "1"


def test_one_process_owns_a_fabric(tmp_path: Path) -> None:
    """The lock goes with who holds it; what a dead one left is noticed."""
    place = FabricPlace(tmp_path)
    first, second = OwnerLock(place), OwnerLock(place)
    assert first.take()
    assert first.holder_died() == 0
    first.sign()
    assert not second.take()
    place.owner_lock.write_text("77\n")
    first._descriptor, kept = -1, first._descriptor

    os.close(kept)
    assert second.take()
    assert second.holder_died() == 77
    second.release()


def test_a_card_that_cannot_be_read_is_no_card(tmp_path: Path) -> None:
    """A torn or foreign file leads to no owner, not to a crash."""
    place = FabricPlace(tmp_path)
    assert place.read_card() == {}
    place.owner_card.write_text("{")
    assert place.read_card() == {}
    place.owner_card.write_text("[1]")
    assert place.read_card() == {}
    place.write_card({"pid": 7})
    assert place.read_card() == {"pid": 7}
