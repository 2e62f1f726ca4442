"""Sites in this process obey the same verbs as sites in processes of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from srshell.backends.base import Backend, SitePlan, SiteState
from srshell.backends.embedded import EmbeddedBackend
from srshell.backends.native import NativeBackend
from srshell.model.errors import SrError
from srshell.transport import LoopbackNetwork
from tests.unit.backends.fabric import IDENTITY, PARTNERSHIP, add_volumes, pair


@pytest.fixture
async def owner(place: Path) -> AsyncIterator[EmbeddedBackend]:
    backend = EmbeddedBackend(place, IDENTITY, 1, network=LoopbackNetwork())
    yield backend
    await backend.close()


def _backends(place: Path) -> tuple[Backend, Backend]:
    """The type checker sees here that both keep the protocol."""
    return NativeBackend(place, IDENTITY, 1), EmbeddedBackend(place, IDENTITY, 1)


def test_both_backends_promise_the_same(place: Path) -> None:
    """It is the same engine."""
    native, embedded = _backends(place)
    assert native.rpo_guarantee is embedded.rpo_guarantee
    assert {native.name, embedded.name} == {"native", "embedded"}


async def test_an_embedded_site_is_held_and_released(owner: EmbeddedBackend, place: Path) -> None:
    """What it hosts is there again."""
    told: list[SiteState] = []
    owner.subscribe(lambda standing: told.append(standing.state))
    await owner.start(SitePlan("A"))
    await add_volumes(owner.site("A"), place, "A")
    await owner.site("A").write("volA", 0, b"kept")
    assert (await owner.hold("A", kill=True)).state is SiteState.HELD
    with pytest.raises(SrError, match="SR9302"):
        owner.site("A")
    await owner.release("A")
    assert await owner.site("A").read("volA", 0, 4) == b"kept"
    await owner.kill("A")
    assert owner.standing("A").state is SiteState.RUNNING
    assert await owner.site("A").read("volA", 0, 4) == b"kept"
    assert told == [
        SiteState.RUNNING,
        SiteState.HELD,
        SiteState.STARTING,
        SiteState.RUNNING,
        SiteState.WAITING,
        SiteState.RUNNING,
    ]
    await owner.forget("A")
    with pytest.raises(SrError, match="SR1107"):
        owner.standing("A")


async def test_an_embedded_site_that_cannot_start_says_why(
    owner: EmbeddedBackend, place: Path
) -> None:
    """And is tried again when it is released."""
    directory = place / "sites" / "A"
    directory.mkdir(parents=True)
    (directory / "site.json").write_text("{")
    with pytest.raises(SrError, match="SR1101"):
        await owner.start(SitePlan("A"))
    with pytest.raises(SrError, match="SR9301") as caught:
        owner.site("A")
    assert "SR1101" in caught.value.facts
    (directory / "site.json").unlink()
    assert (await owner.release("A")).state is SiteState.RUNNING


async def test_a_held_embedded_site_proves_what_it_acknowledged(
    owner: EmbeddedBackend, place: Path
) -> None:
    """Alone it may have acknowledged what the other side lacks: each write beyond counts."""
    await pair(owner, place)
    site = owner.site("A")
    await site.write("volA", 0, b"both")
    log_path = str(place / "PoolA" / "logA")
    with pytest.raises(SrError, match="SR6018"):
        await owner.evidence("A", log_path)
    await site.suspend(PARTNERSHIP)
    for number in (1, 2, 3):
        await site.write("volA", number * 4096, b"alone")
    await owner.hold("A")
    evidence = await owner.evidence("A", log_path)
    assert (evidence.alone, evidence.tail_lsn) == (True, 4)
    theirs = await owner.site("B").replica(PARTNERSHIP)
    assert evidence.acknowledged_beyond(theirs.durable_lsn) == 3
    with pytest.raises(SrError, match="SR9220"):
        await owner.evidence("A", str(place / "missing"))
