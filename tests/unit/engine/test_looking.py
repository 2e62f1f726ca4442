"""Looking at blocks and logs when something fails, answers wrongly, or changes meanwhile."""

from __future__ import annotations

import sys
from array import array

import attrs
import pytest

from srshell.codec.messages import Message
from srshell.codec.superblock import SLOT_BYTES
from srshell.codec.verify_messages import Agreed, Digest, DigestReply, Fetched
from srshell.engine import inspection, looking, verifier
from srshell.engine.core import Core
from srshell.engine.witness import Witness
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaVolume
from srshell.model.verification import VerifyOrder
from srshell.replication.judge import Wrong
from srshell.simulation import FaultKind
from srshell.storage import BlockFile, Disk
from srshell.transport.link import LinkClosed
from tests.unit.engine.sides import (
    BLOCK,
    LIMITS,
    VOLUME,
    VOLUME_BYTES,
    Side,
    Sides,
    log_path,
    on_sides,
    volume_path,
)
from tests.unit.engine.test_verifier import PLACE, REPAIR, rot, verify, written, wrong


def test_checksums_travel_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    checksums = array("I", [1, 0x01020304])
    data = looking.packed(checksums)
    assert data == b"\1\0\0\0\x04\x03\x02\x01"
    monkeypatch.setattr(sys, "byteorder", "big")
    assert looking.packed(checksums) == data
    assert looking.unpacked(data) == checksums


def test_a_device_that_fails_otherwise_than_by_a_bad_sector_fails_the_side() -> None:
    """A file that is shorter than it was is no rotten block."""

    async def test(pair: Sides) -> None:
        await written(pair)
        pair.b.disk.fail_at(1, FaultKind.ENOSPC, operation="read", path=volume_path("B"))
        with pytest.raises(SrError, match="SR7703"):
            await verify(pair)
        assert pair.b.report.failure

    on_sides(test)


@pytest.mark.parametrize("count", [2, 5])
def test_the_own_device_may_fail_too(count: int) -> None:
    """For the extent, or for one of its blocks after a bad sector."""

    async def test(pair: Sides) -> None:
        await written(pair)
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="read", path=volume_path("A"))
        pair.a.disk.fail_at(count, FaultKind.ENOSPC, operation="read", path=volume_path("A"))
        with pytest.raises(SrError, match="SR9220"):
            await verify(pair)
        assert pair.a.report.failure

    on_sides(test)


def test_a_log_volume_that_cannot_be_read_in_places_is_damaged_there() -> None:
    """Where nothing comes from, no slot is; the side goes on."""

    async def test(pair: Sides) -> None:
        await written(pair)
        pair.b.disk.fail_at(1, FaultKind.EIO, operation="read", path=log_path("B"))
        found = await verify(pair)
        assert {side for side, _ in found.damage} == {"destination"}
        assert len(found.damage) == 4
        assert not pair.b.report.failure
        pair.b.disk.fail_at(1, FaultKind.ENOSPC, operation="read", path=log_path("B"))
        with pytest.raises(SrError, match="SR7703"):
            await verify(pair)
        assert pair.b.report.failure

    on_sides(test)


@pytest.mark.parametrize("path", [log_path("B"), volume_path("B")])
def test_a_sync_that_fails_while_a_side_is_looked_at_fails_the_side(path: str) -> None:
    """What it was to make durable is not known to be: that is no bad sector."""

    async def test(pair: Sides) -> None:
        await written(pair)
        await pair.a.write(0, b"to be synced by whoever looks past the cache")
        await pair.b.settle()
        pair.b.disk.fail_at(1, FaultKind.EIO, operation="sync", path=path)
        with pytest.raises(SrError, match="SR7703"):
            await verify(pair)
        assert pair.b.report.failure

    on_sides(test, limits=attrs.evolve(LIMITS, checkpoint_seconds=600.0))


def test_a_slot_that_was_never_written_is_not_damaged() -> None:
    """Of a replica that is as good as new."""

    async def test(pair: Sides) -> None:
        await pair.open()
        generation = pair.a.core.superblock.generation
        assert generation < 4
        found = await pair.a.do(inspection.inspect(pair.a.core, 1))
        assert found.damage == []
        pair.a.damage(log_path("A"), generation % 4 * SLOT_BYTES + 30)
        found = await pair.a.do(inspection.inspect(pair.a.core, 1))
        assert len(found.damage) == 1

    on_sides(test)


async def test_reads_past_the_cache_are_used_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Direct:
        async def read_direct(self, offset: int, length: int) -> bytes:
            return bytes([offset]) * length

    file: BlockFile = Direct()  # type: ignore[assignment]
    assert await inspection.read_past_cache(file, 3, 2) == b"\3\3"


def test_a_group_of_several_volumes_is_compared_volume_by_volume() -> None:
    """And goes on in any of them."""
    volumes = tuple(
        ReplicaVolume(name, f"/{{}}/{name}", size_bytes, 4096)
        for name, size_bytes in ((VOLUME, VOLUME_BYTES), ("second", 3 * BLOCK), ("third", BLOCK))
    )

    async def test(pair: Sides) -> None:
        for side in (pair.a, pair.b):
            placed = tuple(
                attrs.evolve(volume, path=volume.path.format(side.name)) for volume in volumes
            )
            for volume in placed[1:]:
                await Disk(side.disk, None).create(volume.path, volume.size_bytes)
            await side.format(volumes=placed, log_bytes=1 << 20)
            await side.open()
        await pair.start()
        await pair.in_sync()
        pair.b.disk.image("/B/third").flip(7)
        found = await verify(pair)
        assert (found.blocks_compared, wrong(found)) == (
            VOLUME_BYTES // BLOCK + 4,
            [(0, Wrong.DESTINATION)],
        )
        assert found.ranges[0].volume == "third"
        found = await verify(pair, VerifyOrder(volume=1, offset=BLOCK, limit_bytes=1))
        assert (found.blocks_compared, found.next_volume, found.done) == (2, 1, False)
        found = await verify(pair, VerifyOrder(volume=2, offset=0, limit_bytes=1))
        assert (found.differing_blocks, found.done) == (1, True)
        found = await verify(pair, VerifyOrder(volume=3))
        assert (found.blocks_compared, found.done) == (0, True)

    on_sides(test)


def test_a_peer_that_answers_for_another_number_of_blocks_loses_the_link() -> None:
    with pytest.raises(LinkClosed, match="another number"):
        verifier._their_look(DigestReply(1, b"", bytes(8), bytes(4), True), 0, 0, 1)
    with pytest.raises(LinkClosed, match="another number"):
        verifier._their_look(DigestReply(1, b"", bytes(4), bytes(8), True), 0, 0, 1)
    without = verifier._their_look(DigestReply(1, b"", bytes(4), b"", True), 0, 0, 1)
    assert (without.keeps, without.knows_all) == (False, True)


def test_a_right_copy_that_changed_meanwhile_mends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was proven a moment ago is proven of those bytes alone."""

    async def test(pair: Sides) -> None:
        await written(pair)
        rot(pair.a)
        before = pair.a.disk.image(volume_path("A")).durable_bytes()
        lead = pair.a.replica.peer_link.lead
        assert lead is not None
        ask = lead.ask

        async def lying(message: Message, key: object, payload: tuple[bytes, ...] = ()) -> object:
            answer = await ask(message, key, payload)
            return bytes(BLOCK) if isinstance(answer, bytes) else answer

        monkeypatch.setattr(lead, "ask", lying)
        found = await verify(pair, REPAIR)
        assert (found.wrong_source_blocks, found.repaired_blocks) == (1, 0)
        assert pair.a.disk.image(volume_path("A")).durable_bytes() == before

    on_sides(test)


def test_a_damaged_answer_ends_the_link() -> None:
    async def test(pair: Sides) -> None:
        await written(pair)
        lead = pair.a.replica.peer_link.lead
        assert lead is not None
        with pytest.raises(LinkClosed, match="damaged"):
            lead._take(Fetched(1, 5), b"other bytes")

    on_sides(test)


def witness_of(side: Side) -> tuple[Witness, Core]:
    follow = side.replica.peer_link.follow
    assert follow is not None
    return follow._witness, side.core


def test_a_peer_that_asks_without_end_is_hung_up_on() -> None:
    async def test(pair: Sides) -> None:
        await written(pair)
        witness, _ = witness_of(pair.b)
        for number in range(256):
            witness.check_room()
            witness._questions.append(Agreed(number))
        with pytest.raises(LinkClosed, match="more than was agreed"):
            witness.check_room()
        witness._questions.clear()

    on_sides(test)


def test_only_the_last_look_can_be_agreed_to() -> None:
    """An agreement about another one changes nothing."""

    async def test(pair: Sides) -> None:
        await written(pair)
        _, core = witness_of(pair.b)
        await core.checksums.forget(0, PLACE, 1)
        link = pair.a.replica.peer_link.lead
        assert link is not None
        await link.ask(Digest(999, 0, PLACE, BLOCK, 0), 999)
        link.link.send(Agreed(998))
        await pair.pass_time(0.1)
        assert core.checksums.get(0, PLACE // BLOCK) == 0
        link.link.send(Agreed(999))
        await pair.pass_time(0.1)
        assert core.checksums.get(0, PLACE // BLOCK) != 0

    on_sides(test)


def test_a_primary_that_steps_down_at_the_last_moment_has_verified_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seed 9154: a demotion between the last block and the result."""

    async def test(pair: Sides) -> None:
        await written(pair)

        async def late(core: Core, first_lsn: int) -> inspection.Inspection:
            core.source = None
            return await inspection.inspect(core, first_lsn)

        monkeypatch.setattr("srshell.engine.verifier.inspect", late)
        with pytest.raises(SrError, match="SR7703"):
            await verify(pair)

    on_sides(test)
