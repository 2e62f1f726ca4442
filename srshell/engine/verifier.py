"""Compare both sides of a group while writers run, say which is wrong, and mend what is proven.

Always true:

(1) The first look at an extent holds nobody up.  What it finds suspicious is looked at again under
    the copier's lock, as of one LSN that both sides have applied; only that look is believed.
(2) Both sides read past the page cache, as far as their file systems let them; the result says
    whether they surely did.
(3) A block is mended only from the side that is proven right, is looked at once more afterwards,
    and counts as repaired only if it is right then.
(4) A verification may end at any extent and go on from there, in another process too.
(5) Behind it both sides have recorded every block that they hold alike, also beside blocks that
    are wrong: what rots later can be proven.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from srshell.codec.checksum import crc32
from srshell.codec.checksum_page import BLOCK_BYTES, CHECKSUM_BYTES, UNKNOWN, block_checksum
from srshell.codec.verify_messages import (
    Agreed,
    Digest,
    DigestReply,
    Fetch,
    LogDigest,
    LogDigestReply,
    Mend,
)
from srshell.engine import destage
from srshell.engine.inspection import Inspection, inspect, mend
from srshell.engine.lead import Lead
from srshell.engine.looking import Look, agree, look, unpacked
from srshell.model.errors import SrError
from srshell.model.verification import RANGES_MAX, Compared, VerifyOrder, WrongRange
from srshell.replication.judge import UNREADABLE, Judgement, Sums, Wrong, judge
from srshell.replication.source import Phase, Source
from srshell.storage import StorageError
from srshell.transport.link import LinkClosed

if TYPE_CHECKING:
    from srshell.engine.replica import Replica

_EXTENT_BYTES = 1 << 20


async def verify(replica: Replica, order: VerifyOrder) -> Compared:
    """Compare blocks from the order's place on, and at the end what is on the log volumes.

    Raises SrError SR7703 unless the group is in sync from begin to end.
    """
    verifier = _Verifier(replica, order)
    try:
        return await verifier.run()
    except LinkClosed as error:
        group = replica.core.superblock.group
        raise SrError.make("SR7703", facts=error.reason, group=group, state="offline") from error
    except StorageError as error:
        raise replica.core.fail(error) from error


class _Verifier:
    """One run over some extents of a group."""

    def __init__(self, replica: Replica, order: VerifyOrder) -> None:
        self._replica = replica
        self._core = replica.core
        self._order = order
        self._lead = self._live_lead()
        self._result = Compared(next_volume=order.volume, next_offset=order.offset)

    def _live_lead(self) -> Lead:
        source, lead = self._core.source, self._replica.peer_link.lead
        if source is None or lead is None or source.phase is not Phase.LIVE:
            state = source.phase.name.lower() if source else "secondary"
            raise SrError.make("SR7703", group=self._core.superblock.group, state=state)
        return lead

    async def run(self) -> Compared:
        """Look at every extent of the order, then at the logs if none is left."""
        result = self._result
        began = asyncio.get_running_loop().time()
        done_bytes = 0
        for volume, offset, length in self._extents():
            await self._extent(volume, offset, length)
            result.next_volume, result.next_offset = volume, offset + length
            done_bytes += length
            await self._pace(began, done_bytes)
            if 0 < self._order.limit_bytes <= done_bytes:
                break
        if self._is_at_the_end():
            await self._logs()
            result.done = True
        result.lsn = self._live_source().acked_lsn
        return result

    def _live_source(self) -> Source:
        """Return the machine of a primary that is in sync.  Raises LinkClosed."""
        source = self._core.source
        if source is None or source.phase is not Phase.LIVE:
            raise LinkClosed("the group is in sync no more")
        return source

    def _extents(self) -> Iterator[tuple[int, int, int]]:
        for volume, layout in enumerate(self._replica.volumes):
            first = self._order.offset if volume == self._order.volume else 0
            if volume < self._order.volume:
                continue
            for offset in range(first, layout.size_bytes, _EXTENT_BYTES):
                yield volume, offset, min(_EXTENT_BYTES, layout.size_bytes - offset)

    def _is_at_the_end(self) -> bool:
        layouts = self._replica.volumes
        volume, offset = self._result.next_volume, self._result.next_offset
        return volume >= len(layouts) or (
            volume == len(layouts) - 1 and offset >= layouts[volume].size_bytes
        )

    async def _pace(self, began: float, done_bytes: int) -> None:
        """Sleep as long as the wanted rate asks."""
        rate = self._order.bytes_per_second
        ahead = began + done_bytes / rate - asyncio.get_running_loop().time() if rate > 0 else 0.0
        if ahead > 0:
            await asyncio.sleep(ahead)

    # One extent.

    async def _extent(self, volume: int, offset: int, length: int) -> None:
        ours, theirs = await self._looks(volume, offset, length)
        seen = set(self._suspects(ours, theirs))
        if seen:
            span = range(min(seen), max(seen) + 1)
            if not await self._locked(*_part(volume, offset, length, span)):
                seen.update(span)
        # Each run is looked at again under a lock of its own: nobody waits for the whole extent,
        # and what was learnt is what nobody wrote over since.
        for run in _unknown_runs(ours, theirs, seen):
            await self._locked(*_part(volume, offset, length, run))
        self._result.blocks_compared += -(-length // BLOCK_BYTES)

    async def _looks(self, volume: int, offset: int, length: int) -> tuple[Look, Look]:
        """Let both sides look, at the same time."""
        source = self._live_source()
        question = self._lead.next_question()
        asking = self._lead.ask(
            Digest(question, volume, offset, length, source.acked_lsn), question
        )
        answer, ours = await asyncio.gather(
            asking, look(self._core, volume, offset, length), return_exceptions=True
        )
        if isinstance(ours, BaseException):
            raise ours
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, DigestReply)
        theirs = _their_look(answer, volume, offset, len(ours.checksums))
        self._question = question
        self._result.past_cache &= ours.past_cache and theirs.past_cache
        return ours, theirs

    def _suspects(self, ours: Look, theirs: Look) -> list[int]:
        """Return the blocks of the looks, by index, that are not equal and as recorded."""
        if ours.digest == theirs.digest and not (ours.contradicts or theirs.contradicts):
            return []
        blocks = range(len(ours.checksums))
        suspects = [
            index for index in blocks if _judged(ours, theirs, index).wrong is not Wrong.NONE
        ]
        # Other bytes with the same checksums: every block is asked for by itself.
        return suspects or list(blocks)

    async def _locked(self, volume: int, offset: int, length: int) -> bool:
        """Look again while nothing is written there, and believe what is seen.

        Returns whether a block is suspicious still; if none is, all of them are recorded now.
        """
        committer = self._replica.committer
        lock = (volume, offset, length)
        committer.locked.append(lock)
        try:
            await self._quiet()
            ours, theirs = await self._looks(volume, offset, length)
            suspects = self._suspects(ours, theirs)
            if not suspects:
                await self._agree(ours, theirs)
            elif len(ours.checksums) > 1:
                for index in suspects:
                    start = offset + index * BLOCK_BYTES
                    await self._block(volume, start, min(BLOCK_BYTES, offset + length - start))
            else:
                await self._judge(ours, theirs, length)
            return bool(suspects)
        finally:
            committer.locked.remove(lock)
            committer.poke()

    async def _quiet(self) -> None:
        """Wait until every record that was given an LSN is acknowledged and applied here."""
        core = self._core
        async with core.frames:
            last_lsn = core.log.durable_lsn
        while core.source is not None and core.source.acked_lsn < last_lsn:
            if self._lead.link.closed:
                raise LinkClosed("the link closed")
            await core.progressed()
        self._live_source()  # otherwise records may never be applied that had an LSN
        await self._replica.applier.reach(last_lsn)

    async def _agree(self, ours: Look, theirs: Look) -> None:
        """Let both sides record what they did not know of blocks that are equal."""
        if not ours.knows_all:
            await agree(self._core, ours)
        if not theirs.knows_all:
            self._lead.link.send(Agreed(self._question))

    async def _block(self, volume: int, offset: int, length: int) -> None:
        ours, theirs = await self._looks(volume, offset, length)
        await self._judge(ours, theirs, length)

    async def _judge(self, ours: Look, theirs: Look, length: int) -> None:
        """Judge one block, and mend it if that is wanted and proven."""
        verdict = _judged(ours, theirs, 0)
        if verdict.wrong is Wrong.NONE:
            await self._agree(ours, theirs)
            return
        result, volume, offset = self._result, ours.volume, ours.offset
        result.differing_blocks += verdict.wrong is not Wrong.CHECKSUM
        result.wrong_source_blocks += verdict.wrong in (Wrong.SOURCE, Wrong.BOTH)
        result.wrong_destination_blocks += verdict.wrong in (Wrong.DESTINATION, Wrong.BOTH)
        result.undecided_blocks += verdict.wrong in (Wrong.UNKNOWN, Wrong.CHECKSUM)
        result.contradicted_blocks += verdict.wrong is Wrong.CHECKSUM
        repaired = False
        if self._order.repair and verdict.proven:
            right = theirs if verdict.wrong is Wrong.SOURCE else ours
            repaired = await self._repair(right, length, verdict.wrong)
            result.repaired_blocks += repaired
        if len(result.ranges) < RANGES_MAX:
            name = self._replica.volumes[volume].name
            row = WrongRange(name, offset, length, verdict.wrong.value, verdict.proven, repaired)
            result.ranges.append(row)

    async def _repair(self, right: Look, length: int, wrong: Wrong) -> bool:
        """Write a block again from the side that is proven right; tell whether it is right then."""
        volume, offset = right.volume, right.offset
        question = self._lead.next_question()
        if wrong is Wrong.SOURCE:
            data = await self._lead.ask(Fetch(question, volume, offset, length), question)
            assert isinstance(data, bytes)
        else:
            data, _ = await self._core.volumes.read_past_cache(volume, offset, length)
        if len(data) != length or block_checksum(data) != right.checksums[0]:
            return False  # not what was proven right a moment ago
        if wrong is Wrong.SOURCE:
            await self._store(volume, offset, data)
        else:
            message = Mend(question, volume, offset, length, crc32(data))
            await self._lead.ask(message, question, [data])
        ours, theirs = await self._looks(volume, offset, length)
        repaired = _judged(ours, theirs, 0).wrong is Wrong.NONE
        name = self._replica.volumes[volume].name
        side = "here" if wrong is Wrong.SOURCE else "at the destination"
        ending = "" if repaired else ", and is still wrong"
        self._core.tell("repair", f"{name} at {offset} was mended {side}{ending}")
        return repaired

    async def _store(self, volume: int, offset: int, data: bytes) -> None:
        """Write a block into the own volume, as the applier does, and sync it."""
        core = self._core
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def store() -> None:
            try:
                await destage.store(core, volume, ((offset, len(data)),), (data,))
                await core.checksums.write_synced(core.volumes.sync)
            finally:
                done.set_result(None)

        self._replica.applier.submit(store)
        await done
        core.check_usable()

    # The log volumes.

    async def _logs(self) -> None:
        """Compare the records that both logs hold on disk, and look for damage beside them."""
        core, result, repair = self._core, self._result, self._order.repair
        ours, answer = await self._inspections(mend_theirs=repair)
        rows = {(first, last): crc for first, last, crc in ours.rows}
        for first, last, crc in answer.rows:
            found = rows.get((first, last))
            if found is not None:
                result.log_records_compared += last - first + 1
                result.log_differences += found != crc
        result.damage += [("source", text) for text in ours.damage[:RANGES_MAX]]
        result.damage += [("destination", text) for text in answer.damage[:RANGES_MAX]]
        if not (repair and result.damage):
            return
        if ours.damage:
            await mend(core, ours, self._replica.applier.checkpoint)
        ours, answer = await self._inspections(mend_theirs=False)
        left = len(ours.damage[:RANGES_MAX]) + len(answer.damage[:RANGES_MAX])
        result.repaired_places = max(0, len(result.damage) - left)

    async def _inspections(self, *, mend_theirs: bool) -> tuple[Inspection, LogDigestReply]:
        first_lsn = self._core.ring.head_lsn
        answer = await self._lead.ask(LogDigest(first_lsn, mend_theirs), "log")
        assert isinstance(answer, LogDigestReply)
        return await inspect(self._core, first_lsn), answer


def _part(volume: int, offset: int, length: int, blocks: range) -> tuple[int, int, int]:
    """Return volume, offset and length of some blocks of an extent."""
    end = min(offset + length, offset + blocks.stop * BLOCK_BYTES)
    start = offset + blocks.start * BLOCK_BYTES
    return volume, start, end - start


def _unknown_runs(ours: Look, theirs: Look, seen: Container[int]) -> list[range]:
    """Return runs of blocks, from one that a side could learn to the last such one before ``seen``.

    So each run is as long as it can be, and holds no block that was looked at under a lock.
    """
    sides = [look for look in (ours, theirs) if not look.knows_all]
    runs: list[range] = []
    broken = True
    for index in range(len(ours.checksums) if sides else 0):
        if index in seen:
            broken = True
        elif any(look.recorded[index] == UNKNOWN for look in sides):
            if broken:
                runs.append(range(index, index + 1))
            else:
                runs[-1] = range(runs[-1].start, index + 1)
            broken = False
    return runs


def _their_look(answer: DigestReply, volume: int, offset: int, blocks: int) -> Look:
    size_bytes = blocks * CHECKSUM_BYTES
    keeps = bool(answer.recorded)
    recorded = answer.recorded if keeps else bytes(size_bytes)
    if len(answer.checksums) != size_bytes or len(recorded) != size_bytes:
        raise LinkClosed(f"the peer answers for another number of blocks than {blocks}")
    return Look(
        volume,
        offset,
        answer.digest,
        unpacked(answer.checksums),
        unpacked(recorded),
        answer.past_cache,
        keeps,
    )


def _judged(ours: Look, theirs: Look, index: int) -> Judgement:
    """Judge a block; looks at one block alone compare all its bytes, others its checksums."""
    equal = ours.checksums[index] == theirs.checksums[index] != UNREADABLE
    if len(ours.checksums) == 1:
        equal = equal and ours.digest == theirs.digest
    return judge(
        Sums(ours.checksums[index], ours.recorded[index]),
        Sums(theirs.checksums[index], theirs.recorded[index]),
        equal=equal,
    )
