"""Random peers: what comes over a link, and what the replica's pure code makes of it.

Always true: most inputs have right checksums, so that they come as far as a hostile peer would.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from bitarray import bitarray

from srshell.codec.copy_messages import Runs, check_runs
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import open_body, pack_body
from srshell.codec.messages import (
    HEADER_BYTES,
    META_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    Extent,
    Frame,
    Hello,
    check_extent,
    decode_message,
    encode_message,
    parse_header,
)
from srshell.replication.decide import decide, roles_after
from srshell.transport.framing import MessageReader
from srshell.transport.link import Received
from tests.fuzz.harness import Violation, boundary, mutated, pieces
from tests.unit.codec.samples import EPOCH, FIRST_LSN, MESSAGES, RECORDS, STANDING, message_bytes

_WITH_PAYLOAD: Final = (Frame, Extent, Runs)
_WORDS: Final = ("", "\0", "primary", "secondary", "consistent", "blank", "continue", "ö" * 40)


class LinkTarget:
    """`MessageReader`, then what is read first of each message."""

    name = "link"

    def seeds(self) -> Sequence[bytes]:
        """Every message, one of each kind with the payload that it needs."""
        body = pack_body(EPOCH, FIRST_LSN, RECORDS)
        frame = Frame(EPOCH, FIRST_LSN, len(RECORDS), body.body_crc, 40)
        return [
            *(message_bytes(message) for message in MESSAGES),
            b"".join(map(bytes, encode_message(frame, body.buffers))),
        ]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """One to three messages; fields are changed, and checksums mended afterwards."""
        said = []
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            seed = dice.choice(seeds)
            way = dice.random()
            if way < 0.45:
                said.append(_with_changed_field(dice, seed))
            elif way < 0.8:
                said.append(_sealed(dice, mutated(dice, seed, seeds)))
            else:
                said.append(mutated(dice, seed, seeds))
        return b"".join(said)

    def check(self, data: bytes) -> None:
        """Read the stream in pieces; each message can be written again, and holds what it may."""
        heard: list[Received] = []
        reader = MessageReader(heard.append)
        try:
            for piece in pieces(data):
                left = memoryview(piece)
                while left:
                    room = reader.buffer()
                    count = min(len(room), len(left))
                    if not count:
                        raise Violation("the reader has no room")
                    room[:count] = left[:count]
                    reader.received(count)
                    left = left[count:]
        except FormatError:
            pass
        for message, payload in heard:
            _judge(message, payload)


def _judge(message: Any, payload: bytes | memoryview) -> None:  # noqa: ANN401 - any message
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Violation(f"{len(payload)} bytes of payload")
    written = b"".join(map(bytes, encode_message(message, [payload] if payload else [])))
    header = parse_header(written[:HEADER_BYTES])
    meta = written[HEADER_BYTES : HEADER_BYTES + header.meta_bytes]
    if (
        header.meta_bytes > META_BYTES_MAX
        or decode_message(header.kind, meta, header.meta_crc) != message
    ):
        raise Violation(f"{message} is not what it is written as")
    try:
        if isinstance(message, Hello):
            for mine, theirs in ((STANDING, message.standing), (message.standing, STANDING)):
                roles_after(mine, theirs, decide(mine, theirs))
        elif isinstance(message, Frame):
            _judge_frame(message, payload)
        elif isinstance(message, Extent):
            check_extent(message, payload)
        elif isinstance(message, Runs):
            check_runs(message, payload)
        elif payload:
            bits = bitarray(endian="little")
            bits.frombytes(bytes(payload))
    except FormatError:
        return


def _judge_frame(frame: Frame, payload: bytes | memoryview) -> None:
    """A body that is taken has dense LSNs, and payloads that the body holds."""
    body, records = open_body(
        frame.epoch, frame.first_lsn, frame.record_count, payload, frame.body_crc
    )
    lsns = [record.lsn for record in records]
    if lsns != list(range(body.first_lsn, body.last_lsn + 1)):
        raise Violation(f"LSNs {lsns[:5]}… of {frame}")
    if any(record.length < 1 or record.offset < 0 for record in records):
        raise Violation(f"a range of {frame}")
    if sum(len(record.payload) for record in records) + 24 * len(records) != len(payload):
        raise Violation(f"bytes of {frame} belong to no record")


def _with_changed_field(dice: random.Random, message: bytes) -> bytes:
    """The message with another value somewhere in it, and right checksums."""
    meta_bytes = int.from_bytes(message[8:12], "little")
    try:
        fields = msgspec.msgpack.decode(message[24 : 24 + meta_bytes])
    except (msgspec.MsgspecError, ValueError):
        return message
    if isinstance(fields, list) and fields:
        _change(dice, fields)
    meta = msgspec.msgpack.encode(fields)
    payload = message[24 + meta_bytes :]
    if payload and dice.random() < 0.3:
        payload = mutated(dice, payload, [payload])
    kind = message[5] if dice.random() < 0.95 else dice.randrange(32)
    return _header(kind, len(meta), len(payload), zlib.crc32(meta)) + meta + payload


def _change(dice: random.Random, values: list[Any]) -> None:
    """Change one value, or one inside it."""
    at = dice.randrange(len(values))
    value = values[at]
    if isinstance(value, dict) and value:
        key = dice.choice(sorted(value))
        inner = [value[key]]
        _change(dice, inner)
        value[key] = inner[0]
    elif isinstance(value, list) and value and dice.random() < 0.8:
        _change(dice, value)
    else:
        values[at] = dice.choice((
            boundary(dice) % (1 << 64), -boundary(dice) % -(1 << 63), 1.5, True, None, [], {},
            b"\xff" * 16, dice.choice(_WORDS),
        ))  # fmt: skip


def _sealed(dice: random.Random, message: bytes) -> bytes:
    """The same bytes under a header whose lengths and checksums are right."""
    if len(message) < HEADER_BYTES:
        return message
    rest = message[HEADER_BYTES:]
    meta_bytes = min(int.from_bytes(message[8:12], "little"), len(rest))
    meta = rest[:meta_bytes]
    claimed = len(rest) - meta_bytes
    if dice.random() < 0.05:
        claimed = boundary(dice) % (1 << 32)
    return _header(message[5], meta_bytes, claimed, zlib.crc32(meta)) + rest


def _header(kind: int, meta_bytes: int, payload_bytes: int, meta_crc: int) -> bytes:
    header = struct.pack("<4sBBHIII", b"SRLK", 1, kind, 0, meta_bytes, payload_bytes, meta_crc)
    return header + struct.pack("<I", zlib.crc32(header))
