"""``python -m tests.soak.flips --count K --from N``: live bytes rot, on either side, in every file.

From one bit to 4 KiB, in volumes, logs, superblocks, bitmaps and checksum maps; under a pair that
rests, under writers, and on a side that lost its power.

Always true:

(1) Every flip is found: by one verification, which names the side, or when the side is opened; or
    it was overwritten by what belongs there.
(2) What is mended is right afterwards; what no side can prove stays as it is, byte for byte.
(3) A verification under writers names nothing that was not flipped.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Final

from srshell.codec.checksum_page import BLOCK_BYTES, CHECKSUMS_PER_PAGE, UNKNOWN
from srshell.model.errors import SrError
from srshell.model.verification import Compared, VerifyOrder
from tests.process.drill import Figures, pieces, run
from tests.process.flipping import BLOCKS, Flip, FlippedPair, FlippedSide

_FLIPS_PER_ROUND: Final = 25
_KINDS: Final = ("resting", "busy", "stopped")
#: How often each area is drawn; a map page, a slot, is flipped once in a round.
_AREAS: Final = ("volume",) * 6 + ("log",) * 3 + ("superblock", "bitmap", "checksums")
_ONCE: Final = frozenset({"superblock", "bitmap"})
_WRITES: Final = 30
_WORDS: Final = {"A": "source", "B": "destination"}
#: Writers keep to the upper half while the lower half rots.
_HALF: Final = BLOCKS // 2


class Round:
    """Some flips of one pair, from the first write to the check that all is right again."""

    def __init__(self, pair: FlippedPair, numbers: range, figures: Figures) -> None:
        self.pair = pair
        self.numbers = numbers
        self.figures = figures
        self.flips: list[Flip] = []
        #: Side and block whose checksum was lost in an earlier round, with its page.
        self.forgotten: set[tuple[str, int]] = set()
        self.dice = random.Random(f"round {numbers.start}")

    async def play(self, kind: str) -> None:
        """Flip, find, mend, check."""
        await self.pair.checkpoint()
        await self._write_some()
        if kind == "resting":
            await self._resting()
        elif kind == "busy":
            await self._busy()
        else:
            await self._stopped()
        self.figures["flips"] += len(self.numbers)
        await self._mend()

    async def _write_some(self) -> None:
        for _ in range(_WRITES):
            length = self.dice.choice((100, 512, 4096, 16384))
            offset = self.dice.randrange(BLOCKS * BLOCK_BYTES - length)
            if length >= BLOCK_BYTES:
                offset = offset // BLOCK_BYTES * BLOCK_BYTES
            await self.pair.write(offset, self.dice.randbytes(length))
        await self.pair.settle()

    def _draw(self, areas: tuple[str, ...], sides: tuple[FlippedSide, ...], blocks: range) -> None:
        """Draw one flip for each number, none where another one is."""
        for number in self.numbers:
            dice = random.Random(f"flip {number}")
            while True:
                flip = self.pair.draw(dice, dice.choice(sides), dice.choice(areas), blocks)
                taken = {
                    (f.side, f.area) if f.area in _ONCE else (f.side, f.area, f.unit)
                    for f in self.flips
                }
                here = (flip.side, flip.area)
                if (here if flip.area in _ONCE else (*here, flip.unit)) not in taken:
                    break
            self.flips.append(flip)

    def _flip_all(self) -> None:
        for flip in self.flips:
            self.pair.side(flip.side).flip(flip)

    async def _look_what_is_known(self) -> None:
        for flip in [flip for flip in self.flips if flip.area == "volume"]:
            checksums = self.pair.side(flip.side).open_replica.core.checksums
            await checksums.load(0, [flip.unit])
            if checksums.get(0, flip.unit) == UNKNOWN:
                self.forgotten.add((flip.side, flip.unit))

    async def _resting(self) -> None:
        """Nothing is written: every area may rot, on both sides, in the same blocks too."""
        self._draw(_AREAS, (self.pair.a, self.pair.b), range(BLOCKS))
        await self._look_what_is_known()
        self._flip_all()
        self._count(await self._verify())

    async def _busy(self) -> None:
        """Writers work beside; volumes rot where they do not write."""
        self._draw(("volume",), (self.pair.a, self.pair.b), range(_HALF))
        ended = False

        async def writer(number: int) -> None:
            dice = random.Random(f"writer {self.numbers.start} {number}")
            while not ended:
                length = dice.choice((100, 4096, 8192))
                offset = _HALF * BLOCK_BYTES + dice.randrange(_HALF * BLOCK_BYTES - length)
                offset = offset // 4096 * 4096 if length >= BLOCK_BYTES else offset
                await self.pair.write(offset, dice.randbytes(length))
                self.figures["writes"] += 1

        # Two writers to one place may be logged in another order than they were asked: one each.
        tasks = [asyncio.create_task(writer(0))]
        try:
            before = await self._verify()
            self._alarm(len(before.ranges) + len(before.damage), f"nothing had rotted: {before}")
            await self._look_what_is_known()
            self._flip_all()
            self._count(await self._verify())
        finally:
            ended = True
            await asyncio.gather(*tasks)

    async def _stopped(self) -> None:
        """One side loses its power, and rots before it is opened again."""
        victim = self.dice.choice((self.pair.a, self.pair.b))
        # A log that rots is refused; without it, what follows the opening is played, too.
        areas = self.dice.choice((_AREAS, tuple(area for area in _AREAS if area != "log")))
        self._draw(areas, (victim,), range(BLOCKS))
        await victim.crash()
        log = victim.path("log").read_bytes()
        self._flip_all()
        fatal = [flip for flip in self.flips if flip.area in {"log", "superblock"}]
        try:
            await victim.open()
        except SrError as error:
            self._alarm(error.code not in {"SR9210", "SR9211"}, f"refused by {error}")
            self._alarm(not fatal, f"nothing was wrong with the log: {error}")
            self.figures["refused"] += 1
            # A log volume that is refused is replaced; everything on it was found by that.
            victim.put(victim.path("log"), log)
            self.figures["found"] += sum(flip.area != "volume" for flip in self.flips)
            self.flips = [flip for flip in self.flips if flip.area == "volume"]
            await victim.open()
        else:
            marked = victim.open_replica.core.dirty.count()
            for flip in [flip for flip in self.flips if flip.area == "bitmap"]:
                self._alarm(not marked, f"a bitmap page was believed: {flip}")
        await self.pair.in_sync()
        self._count(await self._verify(), opened=True)

    async def _verify(self, *, repair: bool = False) -> Compared:
        found = await self.pair.a.open_replica.verify(VerifyOrder(repair=repair))
        self.figures["verified"] += 1
        self.figures["past_cache"] += found.past_cache
        return found

    def _count(self, found: Compared, *, opened: bool = False) -> None:
        """Look for each flip in what was found, and for anything else in it."""
        sides: dict[int, set[str]] = {}
        for flip in self.flips:
            if flip.area == "volume":
                sides.setdefault(flip.unit, set()).add(flip.side)
        rows = {row.offset // BLOCK_BYTES: row.wrong for row in found.ranges}
        for flip in self.flips:
            if flip.area == "volume":
                named = rows.get(flip.unit)
                whose = sides[flip.unit]
                # A side whose record of the block rotted, too, proves nothing against itself.
                known = whose - self._unrecorded(flip.unit)
                fine = named in (_verdict(whose), _verdict(known))
                # A part of it may have been written again from the log over what had rotted.
                fine = fine or (opened and named == "unknown")
                fine = fine or (opened and named is None and self._is_right(flip))
            else:
                texts = [text for side, text in found.damage if side == _WORDS[flip.side]]
                # Opening passes over a slot, and writes slots and pages anew.
                fine = any(text.startswith(flip.name) for text in texts) or opened
            self.figures["found"] += fine
            if not fine:
                self._alarm(1, f"not found: {flip} among {found.ranges} {found.damage}")
        for block, wrong in rows.items():
            self._alarm(block not in sides, f"block {block} is called {wrong}, and had not rotted")

    def _unrecorded(self, block: int) -> set[str]:
        """The sides whose page of the checksum map for a block was flipped, now or before."""
        page = block // CHECKSUMS_PER_PAGE
        forgot = {side for side, lost in self.forgotten if lost == block}
        return forgot | {f.side for f in self.flips if f.area == "checksums" and f.unit == page}

    def _is_right(self, flip: Flip) -> bool:
        start = flip.unit * BLOCK_BYTES
        block = self.pair.side(flip.side).holds(flip.unit)
        return block == bytes(self.pair.content[start : start + BLOCK_BYTES])

    async def _mend(self) -> None:
        """Mend what is proven; look that it is right, and that nothing else was touched."""
        rotten = {flip.unit for flip in self.flips if flip.area == "volume"}
        before = {(side.name, block): side.holds(block) for side in (self.pair.a, self.pair.b)
                  for block in rotten}  # fmt: skip
        found = await self._verify(repair=True)
        mended = {row.offset // BLOCK_BYTES for row in found.ranges if row.repaired}
        self.figures["repaired"] += found.repaired_blocks
        for block in rotten:
            start = block * BLOCK_BYTES
            right = bytes(self.pair.content[start : start + BLOCK_BYTES])
            for side in (self.pair.a, self.pair.b):
                holds = side.holds(block)
                if block in mended and holds != right:
                    self.figures["wrong_direction"] += 1
                    self._alarm(1, f"block {block} of {side.name} was mended wrongly")
                if block not in mended and holds != before[side.name, block]:
                    self.figures["wrong_direction"] += 1
                    self._alarm(1, f"block {block} of {side.name} was touched without proof")
            if block not in mended:
                await self.pair.write(start, right)
        last = await self._verify()
        self._alarm(not last.clean, f"not clean at the end: {last}")
        await self.pair.settle()
        for side in (self.pair.a, self.pair.b):
            data = side.path("volume").read_bytes()
            self._alarm(data != self.pair.content, f"the volume of {side.name} is not right")

    def _alarm(self, wrong: object, text: str) -> None:
        if wrong:
            self.figures["violations"] += 1
            print(f"round {self.numbers.start}: {text}", file=sys.stderr)  # noqa: T201


def _verdict(sides: set[str]) -> str:
    """What a verification calls a block that rotted on these sides."""
    if len(sides) > 1:
        return "both"
    return _WORDS[next(iter(sides))] if sides else "unknown"


async def flips(numbers: range, folder: Path, figures: Figures) -> None:
    """Flip bytes of a pair, round after round."""
    figures.update({"wrong_direction": 0, "found": 0, "repaired": 0, "flips": 0})
    pair = FlippedPair(folder)
    await pair.make()
    try:
        for piece in pieces(numbers, _FLIPS_PER_ROUND):
            kind = _KINDS[piece.start // _FLIPS_PER_ROUND % len(_KINDS)]
            await Round(pair, piece, figures).play(kind)
            figures[kind] += 1
    finally:
        await pair.close()


if __name__ == "__main__":
    sys.exit(run(flips, __doc__))
