"""When a checkpoint is taken: when it moves something, and before anybody has to wait for it."""

from __future__ import annotations

from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.replication.source import Phase
from srshell.simulation import Operation
from tests.unit.engine.sides import BLOCK, VOLUME, VOLUME_BYTES, Side, Sides, log_path, on_sides


def count_superblocks(side: Side) -> list[Operation]:
    """Note each superblock that is written from now on."""
    seen: list[Operation] = []

    def note(operation: Operation) -> None:
        in_area = operation.path == log_path(side.name) and operation.offset < SUPERBLOCK_AREA_BYTES
        if operation.name == "write" and in_area:
            seen.append(operation)

    side.disk.after = note
    return seen


def test_an_idle_side_writes_no_superblock() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x")
        await pair.pass_time(5.0)
        seen = [*count_superblocks(pair.a), *count_superblocks(pair.b)]
        await pair.pass_time(60.0)
        assert seen == []

    on_sides(test)


def test_a_writer_that_waits_for_a_slow_peer_causes_no_checkpoint_that_moves_nothing() -> None:
    """The log is full of records that the peer lacks: asking again does not change that."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.flap()
        await pair.go_alone()
        pair.mend()
        await pair.until(lambda: pair.a.source.phase is Phase.CATCHING_UP)
        pair.b.disk.hang()
        replica = pair.a.replica
        writes = [
            pair.a.begin(replica.write(VOLUME, number * BLOCK % VOLUME_BYTES, bytes(BLOCK)))
            for number in range(60)
        ]
        await pair.until(lambda: not pair.a.core.can_append(5 * BLOCK))
        await pair.until(lambda: pair.a.report.checkpoint_lsn == pair.a.report.acked_lsn)
        assert pair.a.source.phase is Phase.CATCHING_UP
        assert not all(write.done() for write in writes)
        seen = count_superblocks(pair.a)
        await pair.pass_time(2.0)
        assert seen == []
        pair.b.disk.resume()
        await pair.until(lambda: all(write.done() for write in writes))
        await pair.in_sync()

    on_sides(test)
