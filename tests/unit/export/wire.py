"""The client's side of the protocol in bytes, written without the code under test.

Numbers and layouts are spelled out here a second time on purpose: a wrong constant in the server
must not be right in the tests as well.
"""

import struct
from typing import NamedTuple

import attrs

from srshell.export.nbd_options import Export
from srshell.export.nbd_protocol import NbdConnection
from srshell.export.nbd_requests import ClientLimits, Request
from tests.unit.export.memory_device import MemoryDevice

GREETING = b"NBDMAGICIHAVEOPT\x00\x03"
OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, OPT_STARTTLS, OPT_INFO, OPT_GO = 1, 2, 3, 5, 6, 7
OPT_STRUCTURED_REPLY, OPT_LIST_META, OPT_SET_META, OPT_EXTENDED_HEADERS = 8, 9, 10, 11
REP_ACK, REP_SERVER, REP_INFO, REP_META = 1, 2, 3, 4
ERR_UNSUP, ERR_INVALID, ERR_UNKNOWN, ERR_SHUTDOWN, ERR_TOO_BIG = (
    0x80000000 + each for each in (1, 3, 6, 7, 9)
)
READ, WRITE, DISC, FLUSH, TRIM, CACHE, WRITE_ZEROES, BLOCK_STATUS = range(8)
FUA, NO_HOLE, DF, REQ_ONE, FAST_ZERO, PAYLOAD_LEN = (1 << bit for bit in range(6))
EPERM, EIO, EINVAL, ENOSPC, EOVERFLOW, ENOTSUP, ESHUTDOWN = 1, 5, 22, 28, 75, 95, 108


def client_flags(flags: int = 3) -> bytes:
    return struct.pack(">I", flags)


def option(number: int, data: bytes = b"") -> bytes:
    return b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data


def text(value: str | bytes) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(encoded)) + encoded


def go(name: str, *infos: int, number: int = OPT_GO) -> bytes:
    data = text(name) + struct.pack(f">H{len(infos)}H", len(infos), *infos)
    return option(number, data)


def meta(number: int, name: str, *queries: str) -> bytes:
    data = text(name) + struct.pack(">I", len(queries)) + b"".join(map(text, queries))
    return option(number, data)


def request(
    command: int,
    offset: int = 0,
    length: int = 0,
    flags: int = 0,
    cookie: int = 7,
    data: bytes = b"",
) -> bytes:
    header = struct.pack(">IHHQQI", 0x25609513, flags, command, cookie, offset, length)
    return header + data


def write(offset: int, data: bytes, flags: int = 0, cookie: int = 7) -> bytes:
    return request(WRITE, offset, len(data), flags, cookie, data)


def simple(cookie: int = 7, error: int = 0) -> bytes:
    """The simple reply that the server should send."""
    return struct.pack(">IIQ", 0x67446698, error, cookie)


class OptionReply(NamedTuple):
    option: int
    kind: int
    data: bytes


class Reply(NamedTuple):
    """A reply to a request: simple ones have kind -1."""

    cookie: int
    kind: int
    error: int
    data: bytes


def parse_option_replies(data: bytes) -> list[OptionReply]:
    replies = []
    while data:
        magic, number, kind, length = struct.unpack_from(">QIII", data)
        assert magic == 0x3E889045565A9
        assert len(data) >= 20 + length
        replies.append(OptionReply(number, kind, data[20 : 20 + length]))
        data = data[20 + length :]
    return replies


def parse_replies(data: bytes) -> list[Reply]:
    """Split replies; a simple reply must have no data, so reads must be structured."""
    replies = []
    while data:
        (magic,) = struct.unpack_from(">I", data)
        if magic == 0x67446698:
            _, error, cookie = struct.unpack_from(">IIQ", data)
            replies.append(Reply(cookie, -1, error, b""))
            data = data[16:]
            continue
        assert magic == 0x668E33EF
        _, done, kind, cookie, length = struct.unpack_from(">IHHQI", data)
        assert done == 1
        content = data[20 : 20 + length]
        assert len(content) == length
        error = struct.unpack_from(">I", content)[0] if kind & 0x8000 else 0
        replies.append(Reply(cookie, kind, error, content))
        data = data[20 + length :]
    return replies


@attrs.define(eq=False)
class Offer:
    """What the server exports: devices by name, some of them going away."""

    devices: dict[str, MemoryDevice] = attrs.field(factory=lambda: {"vol": MemoryDevice()})
    leaving: set[str] = attrs.field(factory=set)

    def find(self, name: str) -> Export | None:
        device = self.devices.get(name)
        return None if device is None else Export.of(name, device)

    def names(self) -> list[str]:
        return list(self.devices)

    def is_leaving(self, name: str) -> bool:
        return name in self.leaving


@attrs.define(eq=False)
class Talk:
    """A connection and what it said; `say` hands it bytes as one or more receives."""

    offer: Offer = attrs.field(factory=Offer)
    limits: ClientLimits = attrs.field(factory=ClientLimits)
    connection: NbdConnection = attrs.field(init=False)
    requests: list[Request] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.connection = NbdConnection(self.offer, self.limits)

    def say(self, data: bytes, piece_bytes: int | None = None) -> bytes:
        """Send bytes, in pieces of at most ``piece_bytes``; return the answer."""
        left = memoryview(data)
        while left:
            room = self.connection.receive_buffer()
            assert len(room) > 0
            count = min(len(room), len(left), piece_bytes or len(left))
            room[:count] = left[:count]
            self.connection.received(count)
            left = left[count:]
            self.collect()
        return self.heard()

    def collect(self) -> None:
        while (request := self.connection.next_request()) is not None:
            self.requests.append(request)

    def heard(self) -> bytes:
        return b"".join(self.connection.take_output())


def negotiated(
    device: MemoryDevice | None = None,
    *,
    structured: bool = False,
    context: bool = False,
    limits: ClientLimits | None = None,
) -> Talk:
    """A connection that has chosen ``vol``."""
    talk = Talk(Offer({"vol": device or MemoryDevice()}), limits or ClientLimits())
    talk.say(client_flags())
    if structured:
        talk.say(option(OPT_STRUCTURED_REPLY))
    if context:
        talk.say(meta(OPT_SET_META, "vol", "base:allocation"))
    assert parse_option_replies(talk.say(go("vol")))[-1].kind == REP_ACK
    return talk
