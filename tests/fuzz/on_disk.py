"""Random disks: superblocks, bitmap pages, checksum pages, and logs of which the truth is known.

Always true: a page that is taken is the page that its writer would write; a log gives back records
that were written, from the first one on, and never shortens what was durable without saying so.
"""

from __future__ import annotations

import copy
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from srshell.codec.bitmap_page import decode_page, encode_page
from srshell.codec.checksum_page import decode_checksum_page, encode_checksum_page
from srshell.codec.errors import FormatError
from srshell.codec.superblock import decode_superblock, encode_superblock, slot_of
from srshell.model.replica import Segment
from srshell.replication.scan import Ending, LogScan
from tests.fuzz.harness import Violation, mutated
from tests.unit.codec.samples import (
    OLDER_FILES,
    PAGE_INDEX,
    PAGE_VOLUME,
    PARTNERSHIP,
    SUPERBLOCK,
    SUPERBLOCK_2,
    SUPERBLOCK_WITHOUT_CHECKSUMS,
    checksum_page_bytes,
    page_bytes,
)
from tests.unit.replication.logs import LogImage
from tests.unit.replication.superblocks import superblock

_SECTOR: Final = 4096
_FEEDS_MAX: Final = 2000
_STRANGE_FACTS: Final[tuple[Any, ...]] = (
    0, 1, 2, -1, 2**63, 2**64 - 1, True, None, 0.5, "", "data", "/", "22" * 16, b"data", [], {},
    ["/"], ["/", ""], ["", "", ""], [0, 0, 0, 0], {"name": "data"}, msgspec.msgpack.Ext(5, b"x"),
)  # fmt: skip
_GOLDEN: Final = Path(__file__).parents[1] / "unit" / "codec" / "golden"


class SuperblockTarget:
    """`decode_superblock`."""

    name = "superblock"

    def seeds(self) -> Sequence[bytes]:
        """Superblocks as they lie in their slots, of both versions."""
        plain = attrs.evolve(SUPERBLOCK, volumes=(), history=(), segments=())
        values = (SUPERBLOCK, SUPERBLOCK_2, SUPERBLOCK_WITHOUT_CHECKSUMS, plain)
        older = [(_GOLDEN / name).read_bytes() for name in OLDER_FILES]
        return [*(encode_superblock(value) for value in values), *older]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Changed bytes or facts, most times under a right length and checksum."""
        seed = dice.choice(seeds)
        end = 24 + int.from_bytes(seed[8:12], "little")
        if dice.random() < 0.5:
            changed = seed[:24] + _with_other_facts(dice, seed[24:end])
        else:
            changed = mutated(dice, seed[: min(end, len(seed))], seeds)
        if dice.random() < 0.2 or len(changed) < 24:
            return changed
        body = changed[24:]
        head = changed[:8] + struct.pack("<I", len(body)) + changed[12:20]
        return head + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body

    def check(self, data: bytes) -> None:
        """What is taken is written as the same bytes; of version 1, nothing of it is lost."""
        slot = slot_of(SUPERBLOCK.generation)
        try:
            found = decode_superblock(data, slot)
        except FormatError:
            return
        end = 24 + int.from_bytes(data[8:12], "little")
        again = encode_superblock(found)
        if int.from_bytes(data[4:6], "little") == 1:
            if encode_superblock(decode_superblock(again, slot)) != again:
                raise Violation("the newest version does not hold it")
        elif again[:end] != data[:end]:
            raise Violation("it is not what its writer writes")


def _with_other_facts(dice: random.Random, body: bytes) -> bytes:
    """Return a body that is MessagePack as before, with a few values that are not."""
    try:
        facts = msgspec.msgpack.decode(body)
    except (msgspec.MsgspecError, ValueError):
        return body
    if not isinstance(facts, dict):
        return body
    for _ in range(dice.choice((1, 1, 2))):
        _change_a_fact(dice, facts)
    return msgspec.msgpack.encode(facts, order="sorted")


def _change_a_fact(dice: random.Random, facts: Any) -> None:  # noqa: ANN401
    """Change a value somewhere in nested maps and arrays; drop it, or double it."""
    while True:
        keys = list(facts) if isinstance(facts, dict) else list(range(len(facts)))
        if not keys:
            return
        key = dice.choice(keys)
        inner = facts[key]
        if not isinstance(inner, dict | list) or dice.random() < 0.2:
            break
        facts = inner
    match dice.randrange(4):
        case 0:
            del facts[key]
        case 1 if isinstance(facts, list):
            facts.insert(dice.randrange(len(facts) + 1), inner)
        case 2 if isinstance(inner, int):
            facts[key] = dice.choice(
                (inner ^ 1, inner // 2, ~int(inner) % 2**63, inner != 0, float(inner))
            )
        case _:
            facts[key] = copy.deepcopy(dice.choice(_STRANGE_FACTS))


@attrs.frozen
class _PageTarget:
    """A page of one sector with a header of 60 bytes, a checksum, and its content."""

    name: str
    page: Callable[[], bytes]
    decode: Callable[..., tuple[int, Any]]
    encode: Callable[..., bytes]

    def seeds(self) -> Sequence[bytes]:
        """One page."""
        return [self.page()]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """Changes in the header as often as behind it, most times under a right checksum."""
        seed = dice.choice(seeds)
        if dice.random() < 0.6:
            changed = (mutated(dice, seed[:64], seeds, 2)[:64]).ljust(64, b"\0") + seed[64:]
        else:
            changed = mutated(dice, seed, seeds)
        if dice.random() < 0.2 or len(changed) < 64:
            return changed
        checksum = struct.pack("<I", zlib.crc32(changed[64:], zlib.crc32(changed[:60])))
        return changed[:60] + checksum + changed[64:]

    def check(self, data: bytes) -> None:
        """What is taken belongs to this place, and is written as the same bytes."""
        try:
            generation, content = self.decode(data, PARTNERSHIP, PAGE_VOLUME, PAGE_INDEX)
        except FormatError:
            return
        if self.encode(PARTNERSHIP, PAGE_VOLUME, PAGE_INDEX, generation, content) != data:
            raise Violation("it is not what its writer writes")


def bitmap_target() -> _PageTarget:
    """`decode_page`."""
    return _PageTarget("bitmap", page_bytes, decode_page, encode_page)


def checksums_target() -> _PageTarget:
    """`decode_checksum_page`."""
    return _PageTarget("checksums", checksum_page_bytes, decode_checksum_page, encode_checksum_page)


@attrs.frozen
class _Planted:
    """A log as it was written, what it held on its way there, and the truth about it."""

    log: LogImage
    #: The ring as it was earlier: what a lost write leaves behind.
    older: bytes
    #: The records that count: LSN, offset, payload.
    truth: tuple[tuple[int, int, bytes], ...]


class LogTarget:
    """`LogScan`.  An input is the number of a log and a list of things that happened to it."""

    name = "log"

    def __init__(self) -> None:
        self._logs = [_plant(random.Random(number)) for number in range(16)]

    def seeds(self) -> Sequence[bytes]:
        """Every log, untouched."""
        return [bytes([number]) for number in range(len(self._logs))]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """A few steps of harm."""
        if dice.random() < 0.05:
            return mutated(dice, dice.choice(seeds), seeds)
        steps = [
            struct.pack("<BHHB", dice.randrange(8), dice.randrange(1 << 16),
                        dice.randrange(1 << 16), dice.randrange(256))
            for _ in range(dice.choice((0, 1, 1, 1, 2, 3, 5)))
        ]  # fmt: skip
        return bytes([dice.randrange(len(self._logs))]) + b"".join(steps)

    def check(self, data: bytes) -> None:
        """Harm the log, read it, and hold what was read against the truth."""
        if not data:
            return
        number = data[0] % len(self._logs)
        planted, other = self._logs[number], self._logs[number - 1]
        ring = bytearray(planted.log.image)
        forged = False
        for step in struct.iter_unpack("<BHHB", data[1 : 1 + (len(data) - 1) // 6 * 6]):
            forged |= _harm(ring, planted.older, bytes(other.log.image), *step)
        scan = LogScan(planted.log.superblock)
        for _ in range(_FEEDS_MAX):
            if scan.wanted is None:
                break
            offset, length = scan.wanted.offset, scan.wanted.length
            if length < 0 or offset + length > len(ring):
                raise Violation(f"it wants {scan.wanted} of {len(ring)}")
            scan.feed(bytes(ring[offset : offset + length]))
        else:
            raise Violation("it never ends")
        if not forged:
            _judge(scan, planted, touched=ring != planted.log.image)


def _judge(scan: LogScan, planted: _Planted, *, touched: bool) -> None:
    found = tuple((r.lsn, r.offset, bytes(r.payload)) for r in scan.records)
    if found != planted.truth[: len(found)]:
        raise Violation(f"it read {[row[0] for row in found]}, not what was written")
    if not touched and (found != planted.truth or scan.ending is not Ending.TEAR):
        raise Violation(f"a whole log ends at {scan.tail_lsn} with {scan.ending}")
    if scan.tail_lsn < planted.log.superblock.durable_lsn and scan.ending is not Ending.DAMAGE:
        raise Violation(f"durable records after {scan.tail_lsn} are missing, and it says nothing")


def _plant(dice: random.Random) -> _Planted:
    """Write a log with laps, cuts and new openings behind it."""
    salt, seed = dice.getrandbits(64), dice.getrandbits(32)
    log = LogImage(superblock(segments=(Segment(1, 0, salt, seed),), head_chain=seed))
    older = bytes(log.image)
    for step in range(dice.randint(3, 12)):
        log.append(*(dice.randint(1, 9000) for _ in range(dice.randint(1, 2))))
        if step == 2:
            older = bytes(log.image)
        if dice.random() < 0.7:
            log.persist(forget_lsn=max(0, log.ring.tail_lsn - dice.randint(1, 3)))
        if dice.random() < 0.15 and log.ring.frames:
            log.cut(log.ring.tail_lsn - 1)
        if dice.random() < 0.15:
            log.reopen()
    scan = log.scan()
    return _Planted(log, older, tuple((r.lsn, r.offset, bytes(r.payload)) for r in scan.records))


def _harm(
    ring: bytearray, older: bytes, other: bytes, kind: int, a: int, b: int, value: int
) -> bool:
    """Do one thing to the ring; True when it is a forgery, which passes for the truth."""
    at, from_ = a * 7 % len(ring), b % (len(ring) // _SECTOR) * _SECTOR
    sector = at // _SECTOR * _SECTOR
    match kind % 8:
        case 0:
            ring[at] ^= 1 << value % 8
        case 1:
            ring[at : at + 1 + value] = bytes(len(ring[at : at + 1 + value]))
        case 2:
            ring[sector : sector + _SECTOR] = bytes([value]) * _SECTOR
        case 3:
            ring[sector : sector + _SECTOR] = ring[from_ : from_ + _SECTOR]
        case 4:
            ring[sector : sector + _SECTOR] = older[sector : sector + _SECTOR]
        case 5:
            ring[sector : sector + _SECTOR] = other[from_ : from_ + _SECTOR]
        case 6:
            ring[sector : sector + 512] = ring[from_ : from_ + 512]
        case _:
            _forge(ring, sector, b, value)
            return True
    return False


def _forge(ring: bytearray, sector: int, field: int, value: int) -> None:
    """Change a field of a header and mend its checksum."""
    at = sector + 4 + field % 116
    ring[at] = value
    checksum = zlib.crc32(ring[sector : sector + 124])
    struct.pack_into("<I", ring, sector + 124, checksum)
