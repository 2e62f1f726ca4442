"""What two replicas say to each other over a link.

    | header 24 | meta: MessagePack array, one element per field | payload: raw bytes |

Always true:

(1) The header is verified before its lengths are believed, and they are bounded before memory is
    taken: meta <= 1 MiB, payload <= 4 MiB, and none where the kind has none.
(2) A kind's number and the order of its fields never change; `PROTOCOL` changes instead.
(3) Payloads are sent and received as they are.  Their checksums are in the meta, not in the header:
    the body of a frame has its own, an extent's is the field ``crc``.
(4) An unknown kind, a missing or an extra field refuses the message; only a standing may have
    keys that this release does not know.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, TypeAlias, get_args

import msgspec

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.copy_messages import Runs
from srshell.codec.errors import FormatError
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
from srshell.codec.wire import Crc, Number, Wire
from srshell.model.replica import Era, OnPeerLoss, Standing

PROTOCOL: Final = 1
VERSION: Final = 1
MAGIC: Final = b"SRLK"
HEADER_BYTES: Final = 24
META_BYTES_MAX: Final = 1024 * 1024
PAYLOAD_BYTES_MAX: Final = 4 * 1024 * 1024


class Hello(Wire, frozen=True):
    """First word of both sides: who I am, whom I expect, and where I stand."""

    protocol: Number
    partnership: str
    replica: str
    peer: str
    standing: Standing
    session: str


class Verdict(Wire, frozen=True):
    """What I conclude from both standings; both sides must conclude the same."""

    relation: str
    amount: str
    common_lsn: int


class Refused(Wire, frozen=True):
    """I cannot work with you, and this is why; the link closes after it."""

    code: str
    text: str


class Rejoin(Wire, frozen=True):
    """Primary: take this history, drop your tail after ``truncate_lsn``, then follow me."""

    history: tuple[Era, ...]
    base_lsn: Number
    truncate_lsn: Number
    copy: bool
    compare: bool
    copy_id: str
    policy: OnPeerLoss


class Rejoined(Wire, frozen=True):
    """Secondary: all of that is durable here."""

    durable_lsn: Number
    log_bytes_free: Number


class Frame(Wire, frozen=True):
    """Records for the log; the payload is the body of the frame."""

    epoch: Number
    first_lsn: Number
    record_count: Number
    body_crc: Crc
    commit_lsn: Number


class Confirm(Wire, frozen=True):
    """My log is durable up to here, my volumes hold this much, and so much log is free (bytes)."""

    durable_lsn: Number
    applied_lsn: Number
    log_bytes_free: Number


class Commit(Wire, frozen=True):
    """Everything up to here is durable in both logs and may be applied."""

    commit_lsn: Number


class Ping(Wire, frozen=True):
    """Primary: I am alive.  ``sent_ns`` is my clock and comes back unchanged."""

    sent_ns: Number
    commit_lsn: Number


class Pong(Wire, frozen=True):
    """Answer to a ping."""

    sent_ns: Number
    durable_lsn: Number
    log_bytes_free: Number


class Extent(Wire, frozen=True):
    """Copy of a range (bytes); the payload is the data unless the range is zeros."""

    sequence: Number
    volume: Number
    offset: Number
    length: Number
    crc: Crc
    zero: bool


class ExtentStored(Wire, frozen=True):
    """All extents up to ``sequence`` are durable in my volumes."""

    sequence: Number


class Compare(Wire, frozen=True):
    """Is the range (bytes) equal on your side?"""

    sequence: Number
    volume: Number
    offset: Number
    length: Number
    digest: bytes


class Compared(Wire, frozen=True):
    """Answer to a compare."""

    sequence: Number
    equal: bool


class Fence(Wire, frozen=True):
    """The copy is complete once your log is durable up to ``lsn``."""

    lsn: Number
    history: tuple[Era, ...]


class Fenced(Wire, frozen=True):
    """I am consistent, durably."""

    lsn: Number


class FenceClosed(Wire, frozen=True):
    """I no longer acknowledge alone, durably."""

    lsn: Number


class Policy(Wire, frozen=True):
    """What I am about to allow myself; I wait until you hold it."""

    on_peer_loss: OnPeerLoss
    may_ack_alone: bool


class PolicyStored(Wire, frozen=True):
    """I hold it, durably."""

    on_peer_loss: OnPeerLoss
    may_ack_alone: bool


class Pull(Wire, frozen=True):
    """Send me your records from here on: you hold more of this epoch than I do."""

    first_lsn: Number


class Pulled(Wire, frozen=True):
    """That was all of them."""

    last_lsn: Number


class DirtyRequest(Wire, frozen=True):
    """Which blocks did you change beyond our common point?"""


class Dirty(Wire, frozen=True):
    """Pages of a dirty bitmap, from ``first_page`` on; the payload is the bits."""

    volume: Number
    first_page: Number
    last: bool


class Bye(Wire, frozen=True):
    """I close the link in good order."""

    reason: str


class Diverged(Wire, frozen=True):
    """We are split: what I hold beyond our common point (bytes; Unix milliseconds, 0: unknown)."""

    from_lsn: Number
    to_lsn: Number
    blocks: Number
    bytes: Number
    first_unix_ms: Number
    last_unix_ms: Number


Message: TypeAlias = (
    Hello
    | Verdict
    | Refused
    | Rejoin
    | Rejoined
    | Frame
    | Confirm
    | Commit
    | Ping
    | Pong
    | Extent
    | ExtentStored
    | Compare
    | Compared
    | Fence
    | Fenced
    | FenceClosed
    | Policy
    | PolicyStored
    | Pull
    | Pulled
    | DirtyRequest
    | Dirty
    | Digest
    | DigestReply
    | LogDigest
    | LogDigestReply
    | Bye
    | Diverged
    | Agreed
    | Fetch
    | Fetched
    | Mend
    | Mended
    | Runs
)

#: The number of each kind on the wire is its place in the union, from 1.  Append only.
MESSAGE_KINDS: Final[dict[type[Message], int]] = {
    kind: number for number, kind in enumerate(get_args(Message), 1)
}

#: Only these may have a payload.
_KINDS_WITH_PAYLOAD: Final = frozenset(
    MESSAGE_KINDS[kind] for kind in (Frame, Extent, Dirty, Fetched, Mend, Runs)
)

_HEADER: Final = struct.Struct("<4sBBHIII")
_CRC: Final = struct.Struct("<I")
_ENCODER: Final = msgspec.msgpack.Encoder(order="sorted")
_DECODERS: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    number: msgspec.msgpack.Decoder(kind) for kind, number in MESSAGE_KINDS.items()
}


class MessageHeader(msgspec.Struct, frozen=True, gc=False):
    """The header of a message as read: intact, of a known kind, within the limits (bytes)."""

    kind: int
    meta_bytes: int
    payload_bytes: int
    meta_crc: int


def encode_message(message: Message, payload_buffers: Sequence[Buffer] = ()) -> list[Buffer]:
    """Return the buffers to send, in order; payload buffers are passed through, never copied.

    Raises `FormatError` ``length`` when meta or payload is beyond its limit.
    """
    kind = MESSAGE_KINDS[type(message)]
    assert not payload_buffers or kind in _KINDS_WITH_PAYLOAD, message
    meta = _ENCODER.encode(message)
    payload_bytes = sum(map(len, payload_buffers))
    if len(meta) > META_BYTES_MAX or payload_bytes > PAYLOAD_BYTES_MAX:
        raise FormatError(
            "length",
            f"{type(message).__name__} of {len(meta)} + {payload_bytes} bytes exceeds a message",
        )
    header = _HEADER.pack(MAGIC, VERSION, kind, 0, len(meta), payload_bytes, crc32(meta))
    return [b"".join((header, _CRC.pack(crc32(header)), meta)), *payload_buffers]


def parse_header(data: Buffer) -> MessageHeader:
    """Read the 24 bytes that begin a message.

    Raises `FormatError` ``length``, ``magic``, ``checksum`` or ``version``; after any of them the
    link cannot be read further.
    """
    if len(data) != HEADER_BYTES:
        raise FormatError("length", f"message header has {len(data)} of {HEADER_BYTES} bytes")
    if data[:4] != MAGIC:
        raise FormatError("magic", "no message header here")
    _, version, kind, reserve, meta_bytes, payload_bytes, meta_crc = _HEADER.unpack_from(data)
    if crc32(memoryview(data)[:-4]) != _CRC.unpack_from(data, HEADER_BYTES - 4)[0]:
        raise FormatError("checksum", "message header is damaged")
    if version != VERSION or kind not in _DECODERS or reserve:
        raise FormatError("version", f"message of version {version}, kind {kind}")
    payload_limit = PAYLOAD_BYTES_MAX if kind in _KINDS_WITH_PAYLOAD else 0
    if meta_bytes > META_BYTES_MAX or payload_bytes > payload_limit:
        raise FormatError(
            "length", f"message of kind {kind} claims {meta_bytes} + {payload_bytes} bytes"
        )
    return MessageHeader(kind, meta_bytes, payload_bytes, meta_crc)


def decode_message(kind: int, meta: Buffer, crc: int) -> Message:
    """Return the message that ``meta`` holds; ``kind`` and ``crc`` come from its header.

    Raises `FormatError` ``checksum``, or ``version`` when intact bytes are not such a message.
    """
    if crc32(meta) != crc:
        raise FormatError("checksum", f"message of kind {kind} is damaged")
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise FormatError("version", f"message of kind {kind}")
    try:
        message: Message = decoder.decode(meta)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("version", f"message of kind {kind}: {error}") from None
    return message


def check_extent(extent: Extent | Mend, payload: Buffer) -> None:
    """Refuse an extent whose data is not what the message says.

    Raises `FormatError` ``length`` or ``checksum``.
    """
    length = 0 if isinstance(extent, Extent) and extent.zero else extent.length
    if len(payload) != length or extent.length == 0:
        raise FormatError("length", f"extent of {length} bytes came with {len(payload)}")
    if crc32(payload) != extent.crc:
        raise FormatError("checksum", f"extent at {extent.offset} is damaged")
