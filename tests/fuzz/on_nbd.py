"""Random NBD clients: what they negotiate and what they ask for.

Always true: the client's bytes are made here without the code under test, and every answer of the
server is taken apart again.
"""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Sequence
from typing import Final

import attrs

from srshell.export.nbd_options import Export
from srshell.export.nbd_protocol import NbdConnection, Phase
from srshell.export.nbd_requests import ClientLimits, Request
from tests.fuzz.harness import Violation, boundary, mutated, pieces
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice

_LIMITS: Final = ClientLimits(requests=8, payload_bytes=2 * 1024 * 1024)
_REQUEST_BYTES_MAX: Final = 32 * 1024 * 1024
_NAMES: Final = ("vol", "ro", "big", "", "gone", "no such", "x" * 300, "\0", "v\u202eol")
_QUERIES: Final = ("base:allocation", "base:", "qemu:x", "no colon", "")
_ZEROS: Final = bytes(_REQUEST_BYTES_MAX)
#: How replies to requests begin, and the end of what was said.
_REPLIES: Final = (b"\x67\x44\x66\x98", b"\x66\x8e\x33\xef", b"")


class _Device(MemoryDevice):
    """A device of which only the facts are looked at."""

    def __attrs_post_init__(self) -> None:
        """Take no memory."""
        self.data = self.used = bytearray()


_DEVICES: Final = {
    "vol": _Device(),
    "ro": _Device(read_only=True, fast_zero=False),
    "big": _Device(size_bytes=1 << 40),
}


class _Offer:
    """Three exports, one of them read-only, and one that is going away."""

    def find(self, name: str) -> Export | None:
        device = _DEVICES.get("vol" if name == "gone" else name)
        return None if device is None else Export.of(name, device)

    def names(self) -> list[str]:
        return [*_DEVICES]

    def is_leaving(self, name: str) -> bool:
        return name == "gone"


class NbdTarget:
    """`NbdConnection`, from the greeting to the last request."""

    name = "nbd"

    def seeds(self) -> Sequence[bytes]:
        """What well-behaved clients say."""
        choice = wire.client_flags() + wire.option(8) + wire.meta(10, "vol", "base:allocation")
        requests = [
            wire.request(wire.READ, 0, 4096),
            wire.write(512, bytes(100), wire.FUA),
            wire.request(wire.FLUSH),
            wire.request(wire.TRIM, 0, 8192),
            wire.request(wire.WRITE_ZEROES, 4096, 4096, wire.NO_HOLE),
            wire.request(wire.BLOCK_STATUS, 0, 65536, wire.REQ_ONE),
            wire.request(wire.CACHE, 0, 65536),
            wire.request(wire.DISC),
        ]
        return [
            choice + wire.go("vol") + b"".join(requests),
            wire.client_flags() + wire.go("ro", 0, 1, 2, 3) + b"".join(requests),
            wire.client_flags() + wire.option(1, b"vol") + requests[1] * 5,
            wire.client_flags(1) + wire.option(3) + wire.option(5) + wire.option(2),
            wire.client_flags() + wire.go("big") + wire.write(0, bytes(70_000)),
        ]

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """A client that knows the protocol and breaks it here and there, or a mutated one."""
        if dice.random() < 0.4:
            return mutated(dice, dice.choice(seeds), seeds)
        said = [wire.client_flags(3 if dice.random() < 0.9 else dice.randrange(8))]
        said += [_option(dice) for _ in range(dice.randrange(4))]
        said.append(wire.go(dice.choice(("vol", "vol", "ro", "big"))))
        said += [_request(dice) for _ in range(dice.randrange(12))]
        data = b"".join(said)
        return mutated(dice, data, seeds, 1) if dice.random() < 0.2 else data

    def check(self, data: bytes) -> None:
        """Talk to a connection, and hold every request and answer against the protocol."""
        _Talk().run(data)


def _option(dice: random.Random) -> bytes:
    """An option, at times with a length or a name that cannot be."""
    number = dice.choice((1, 2, 3, 5, 6, 7, 8, 8, 9, 10, 10, 11, 99))
    name = dice.choice(_NAMES)
    if number in {6, 7}:
        data = wire.go(name, *(dice.randrange(6) for _ in range(dice.randrange(4))))[16:]
    elif number in {9, 10}:
        queries = (dice.choice(_QUERIES) for _ in range(dice.randrange(4)))
        data = wire.meta(number, name, *queries)[16:]
    else:
        data = name.encode() if number == 1 else b""
    if dice.random() < 0.2:
        data = mutated(dice, data, [data, b"\xff" * 8], 2)
    length = len(data) if dice.random() < 0.9 else boundary(dice) % (1 << 32)
    return b"IHAVEOPT" + struct.pack(">II", number, length) + data


def _request(dice: random.Random) -> bytes:
    """A request, at times outside its export, or with flags or lengths that cannot be."""
    command = dice.choice((0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 300))
    offset = dice.randrange(0, 1 << 20, 512) if dice.random() < 0.6 else boundary(dice) % (1 << 64)
    length = dice.choice((512, 4096, 65536)) if dice.random() < 0.7 else boundary(dice) % (1 << 32)
    if dice.random() < 0.05:
        length = _REQUEST_BYTES_MAX + dice.choice((0, 1, 512))
    flags = 0 if dice.random() < 0.6 else dice.randrange(64)
    if command == wire.FLUSH and dice.random() < 0.7:
        offset = length = 0
    data = bytes(min(length, 100_000)) if command == wire.WRITE else b""
    return wire.request(command, offset, length, flags, dice.randrange(1 << 64), data)


@attrs.define
class _Talk:
    """One connection."""

    connection: NbdConnection = attrs.field(factory=lambda: NbdConnection(_Offer(), _LIMITS))
    waiting: deque[Request] = attrs.field(factory=deque)
    #: Answers without an error that were given, in order: cookie and bytes of data.
    given: deque[tuple[int, int]] = attrs.field(factory=deque)
    heard: bytearray = attrs.field(factory=bytearray)
    #: Data of reads, which is not kept: how much was said, and how much was given.
    said_bytes: int = 0
    given_bytes: int = 0

    def run(self, data: bytes) -> None:
        """Say it, answer what comes of it, look at what the server said."""
        connection = self.connection
        for piece in pieces(data):
            left = memoryview(piece)
            while left and connection.is_open:
                left = self._say(left)
            if len(self.waiting) % 3 == 2:
                self._answer()
        while self.waiting:
            self._answer()
            self._collect()
        if connection.phase is not Phase.BROKEN:
            connection.end_of_input()
        self._hear()
        if connection.requests_under_way:
            raise Violation(f"{connection.requests_under_way} requests are left")
        self._check_heard()

    def _say(self, left: memoryview) -> memoryview:
        """Hand over as much as there is room for."""
        connection = self.connection
        if connection.stalled:
            self._answer()
            self._collect()
            return left
        room = connection.receive_buffer()
        if not len(room):
            raise Violation("there is no room, and nothing to wait for")
        count = min(len(room), len(left))
        room[:count] = left[:count]
        connection.received(count)
        self._collect()
        return left[count:]

    def _collect(self) -> None:
        connection = self.connection
        while (request := connection.next_request()) is not None:
            self._judge(request)
            self.waiting.append(request)
        held = connection.requests_under_way
        if held > _LIMITS.requests:
            raise Violation(f"{held} requests at once")

    def _judge(self, request: Request) -> None:
        """Hold a request against its export: it would go to the device as it is."""
        agreement = self.connection.agreement
        assert agreement is not None
        export = agreement.export
        if request.offset + request.length > export.size_bytes:
            raise Violation(f"{request} lies beyond {export.size_bytes}")
        if request.command in {0, 1} and request.length > _REQUEST_BYTES_MAX:
            raise Violation(f"{request} is too long")
        if export.read_only and request.command in {1, 4, 6}:
            raise Violation(f"{request} on a read-only export")
        if request.command not in {0, 1, 3, 4, 5, 6, 7}:
            raise Violation(f"{request} is of no kind")
        if request.command == 1 and len(request.payload) != request.length:
            raise Violation(f"{request} with {len(request.payload)} bytes")

    def _answer(self) -> None:
        """Answer the newest or the oldest request, with success or an error."""
        if not self.waiting:
            raise Violation("it waits for answers, and no request is out")
        first = self.waiting[0].cookie % 2
        request = self.waiting.popleft() if first else self.waiting.pop()
        connection = self.connection
        if request.cookie % 5 == 0:
            connection.answer_error(request, 5, "ö" * 600)  # type: ignore[arg-type]
            return
        length = request.length if request.command == 0 else 0
        self.given.append((request.cookie, length))
        if request.command == 0:
            self.given_bytes += length
            connection.answer_data(request, memoryview(_ZEROS)[:length])
        elif request.command == 7:
            connection.answer_ranges(request, [(4096, 0), (0, 3), (1 << 32, 3)])
        else:
            connection.answer(request)

    def _hear(self) -> None:
        """Keep what was said; of the data of reads, that it was there."""
        for part in self.connection.take_output():
            if isinstance(part, memoryview):
                self.said_bytes += len(part)
            else:
                self.heard += part

    def _check_heard(self) -> None:
        """Every byte of the server belongs to a message of the protocol."""
        data = bytes(self.heard)
        if not data.startswith(wire.GREETING):
            raise Violation("no greeting")
        at = len(wire.GREETING)
        while data[at : at + 8] == b"\0\x03\xe8\x89\x04Ue\xa9":
            at += 20 + int.from_bytes(data[at + 16 : at + 20], "big")
        if self.connection.agreement is not None and data[at : at + 4] not in _REPLIES:
            # EXPORT_NAME is answered without a header: size, flags, and zeros unless waived.
            at += 10
            at += 124 if data[at : at + 124] == bytes(124) else 0
        self._check_replies(data, at)

    def _check_replies(self, data: bytes, at: int) -> None:
        while at < len(data):
            magic = data[at : at + 4]
            if magic == _REPLIES[0]:
                error = int.from_bytes(data[at + 4 : at + 8], "big")
                cookie = int.from_bytes(data[at + 8 : at + 16], "big")
                at += 16
                if not error:
                    self._expect(cookie)
            elif magic == _REPLIES[1]:
                kind = int.from_bytes(data[at + 6 : at + 8], "big")
                length = int.from_bytes(data[at + 16 : at + 20], "big")
                if not kind & 0x8000:
                    length -= self._expect(int.from_bytes(data[at + 8 : at + 16], "big"))
                at += 20 + length
            else:
                raise Violation(f"{data[at : at + 20].hex()} is no reply")
        if at != len(data) or self.given or self.said_bytes != self.given_bytes:
            raise Violation(f"the server said {len(data)} bytes, {at} are replies")

    def _expect(self, cookie: int) -> int:
        """A success is one that was given, in order; returns the bytes of its data."""
        if not self.given or self.given[0][0] != cookie:
            raise Violation(f"nothing succeeded with cookie {cookie:#x}")
        return self.given.popleft()[1]
