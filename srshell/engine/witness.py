"""What the secondary says of its blocks and its log when the primary verifies.

Always true:

(1) A question is answered after everything was applied that the primary named, and beside the
    applier: records of other places go on meanwhile.
(2) Only a `Mend` changes a volume; it is stored in the order of the link, synced, and then told.
(3) Answers go out in the order of the questions.
"""

from __future__ import annotations

import asyncio
from collections import deque

from srshell.codec.checksum import crc32
from srshell.codec.verify_messages import (
    Agreed,
    Digest,
    DigestReply,
    Fetch,
    Fetched,
    LogDigest,
    LogDigestReply,
    Mend,
    Mended,
)
from srshell.engine import destage
from srshell.engine.applier import Applier
from srshell.engine.core import Core
from srshell.engine.inspection import inspect, mend
from srshell.engine.looking import Look, agree, look, packed
from srshell.storage import StorageError
from srshell.transport.link import Link, LinkClosed

_LOG_ROWS_MAX = 20_000
_DAMAGE_MAX = 100
#: A verification asks a handful at once.
_QUESTIONS_MAX = 256
Question = Digest | Fetch | LogDigest | Agreed


class Witness:
    """Answers the questions of a verification over one link."""

    def __init__(self, core: Core, link: Link, applier: Applier) -> None:
        """Nothing was asked yet; `run` is the task."""
        self._core = core
        self._link = link
        self._applier = applier
        self._questions: deque[Question] = deque()
        self._asked = asyncio.Event()
        #: The last look, and the number of its question: it may be agreed to.
        self._looked: tuple[int, Look] | None = None

    def close(self) -> None:
        """Answer nothing more."""
        self._asked.set()

    def check_room(self) -> None:
        """Refuse a peer that asks faster than anybody can answer.  Raises LinkClosed."""
        if len(self._questions) >= _QUESTIONS_MAX:
            raise LinkClosed("the peer asks more than was agreed")

    async def hear(self, question: Question) -> None:
        """Take a question, whose range was checked; it is answered when its turn comes."""
        self._questions.append(question)
        self._asked.set()

    async def run(self) -> None:
        """Answer until the link closes.  Raises SrError after failing the replica."""
        while not self._link.closed:
            self._asked.clear()
            if not self._questions:
                await self._asked.wait()
                continue
            try:
                await self._answer(self._questions.popleft())
            except StorageError as error:
                raise self._core.fail(error) from error

    async def _answer(self, question: Question) -> None:
        match question:
            case Digest():
                found = await look(self._core, question.volume, question.offset, question.length)
                self._looked = question.sequence, found
                self._link.send(
                    DigestReply(
                        question.sequence,
                        found.digest,
                        packed(found.checksums),
                        packed(found.recorded) if found.keeps else b"",
                        found.past_cache,
                    )
                )
            case Agreed():
                if self._looked is not None and self._looked[0] == question.sequence:
                    await agree(self._core, self._looked[1])
            case Fetch():
                data, _ = await self._core.volumes.read_past_cache(
                    question.volume, question.offset, question.length
                )
                self._link.send(Fetched(question.sequence, crc32(data)), [data])
            case LogDigest():
                await self._log(question)

    async def _log(self, question: LogDigest) -> None:
        found = await inspect(self._core, question.first_lsn)
        if question.mend and found.damage:
            await mend(self._core, found, self._applier.checkpoint)
        rows, damage = tuple(found.rows[-_LOG_ROWS_MAX:]), tuple(found.damage[:_DAMAGE_MAX])
        self._link.send(LogDigestReply(rows, damage))

    async def mend(self, message: Mend, data: bytes | memoryview) -> None:
        """Write a block again that the primary proved wrong here.  Raises StorageError."""
        core = self._core
        await destage.store(core, message.volume, ((message.offset, message.length),), (data,))
        await core.checksums.write_synced(core.volumes.sync)
        name = core.volumes.layouts[message.volume].name
        core.tell("repair", f"{name} at {message.offset} was mended from the primary")
        if not self._link.closed:
            self._link.send(Mended(message.sequence))
