"""Options and their answers: data of the handshake to values, and values to bytes.

    greeting            | "NBDMAGIC" 8 | "IHAVEOPT" 8 | handshake flags 2 |
    client flags        | flags 4 |
    option              | "IHAVEOPT" 8 | option 4 | length 4 | data |
    option reply        | 0x3e889045565a9 8 | option 4 | type 4 | length 4 | data |

    data of INFO, GO    | name length 4 | name | count 2 | info 2 ... |
    data of *_META_*    | name length 4 | name | count 4 | { length 4 | query } ... |

    data of ONLY        | name length 4 | name | name length 4 | name for the client |

    data of REP_SERVER  | name length 4 | name |
    data of REP_INFO    | EXPORT 2 | size 8 | transmission flags 2 |
                        | NAME 2 | name |
                        | BLOCK_SIZE 2 | minimum 4 | preferred 4 | maximum 4 |
    REP_META_CONTEXT    | context id 4 | name |

Specification: "Fixed newstyle negotiation", "Option types", "Option reply types".

Always true:

(1) Any data at all either gives a value or raises `OptionError`, which is the answer to send.
(2) Nothing that a client sent is sent back, except the name of an export that exists.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import attrs

from srshell.export.device import BlockDevice, ReportsDirty
from srshell.export.nbd_numbers import (
    INIT_MAGIC,
    OPTION_MAGIC,
    OPTION_REPLY_MAGIC,
    REQUEST_BYTES_MAX,
    HandshakeFlag,
    Info,
    Option,
    OptionReply,
    TransmissionFlag,
)

NAME_BYTES_MAX: Final = 255
# A number and not a flag set: the complement of a set knows nothing of bits without a name.
HANDSHAKE_FLAGS: Final = int(HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES)

#: The metadata contexts: which ranges take space and which read as zeros; which ranges the other
#: side may not hold.
ALLOCATION_CONTEXT: Final = "base:allocation"
ALLOCATION_CONTEXT_ID: Final = 1
DIRTY_CONTEXT: Final = "srshell:dirty"
DIRTY_CONTEXT_ID: Final = 2
_CONTEXTS: Final = {ALLOCATION_CONTEXT: ALLOCATION_CONTEXT_ID, DIRTY_CONTEXT: DIRTY_CONTEXT_ID}

OPTION_HEADER: Final = struct.Struct(">QII")
CLIENT_FLAGS: Final = struct.Struct(">I")
GREETING: Final = struct.pack(">QQH", INIT_MAGIC, OPTION_MAGIC, HANDSHAKE_FLAGS)
_REPLY_HEADER: Final = struct.Struct(">QIII")
_RESERVE_OF_EXPORT_NAME: Final = bytes(124)


class OptionError(Exception):
    """An option that is refused: the reply to send, and a sentence for whoever reads the log."""

    def __init__(self, reply: OptionReply, text: str) -> None:
        super().__init__(reply, text)
        self.reply = reply
        self.text = text


@attrs.frozen
class Export:
    """A device under its name, with what was told to the client when it chose it."""

    name: str
    device: BlockDevice = attrs.field(repr=False)
    size_bytes: int
    block_bytes: int
    read_only: bool
    multi_connection: bool
    fast_zero: bool
    dirty: bool = False

    @classmethod
    def of(cls, name: str, device: BlockDevice) -> Export:
        """Take down the properties that hold for as long as the client stays."""
        return cls(
            name=name,
            device=device,
            size_bytes=device.size_bytes,
            block_bytes=device.block_bytes,
            read_only=device.read_only,
            multi_connection=device.multi_connection,
            fast_zero=device.fast_zero,
            dirty=isinstance(device, ReportsDirty),
        )

    @property
    def contexts(self) -> tuple[str, ...]:
        """The metadata contexts that there are."""
        return (ALLOCATION_CONTEXT, DIRTY_CONTEXT) if self.dirty else (ALLOCATION_CONTEXT,)

    def transmission_flags(self, structured: bool) -> TransmissionFlag:
        """Return what a client may ask of this export."""
        flags = TransmissionFlag.HAS_FLAGS | TransmissionFlag.SEND_FLUSH
        flags |= TransmissionFlag.SEND_FUA | TransmissionFlag.SEND_CACHE
        if self.read_only:
            flags |= TransmissionFlag.READ_ONLY
        else:
            flags |= TransmissionFlag.SEND_TRIM | TransmissionFlag.SEND_WRITE_ZEROES
            flags |= TransmissionFlag.SEND_FAST_ZERO
        if structured:
            flags |= TransmissionFlag.SEND_DF
        if self.multi_connection:
            flags |= TransmissionFlag.CAN_MULTI_CONN
        return flags


@attrs.frozen
class InfoQuery:
    """What INFO and GO ask: an export, and facts about it."""

    name: str
    infos: frozenset[int]


@attrs.frozen
class MetaQuery:
    """What LIST_META_CONTEXT and SET_META_CONTEXT ask: an export, and patterns of contexts."""

    name: str
    queries: tuple[str, ...]


class _Reader:
    """Takes fields off the front of an option's data; a field beyond its end raises."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self._field(size), "big")

    def text(self, length: int) -> str:
        try:
            text = self._field(length).decode("utf-8")
        except UnicodeDecodeError:
            raise OptionError(OptionReply.ERR_INVALID, "a string is not UTF-8") from None
        if "\0" in text:
            raise OptionError(OptionReply.ERR_INVALID, "a string holds a NUL")
        return text

    def finish(self) -> None:
        if self._at != len(self._data):
            raise OptionError(OptionReply.ERR_INVALID, "the option is longer than its fields")

    def _field(self, size: int) -> bytes:
        field = self._data[self._at : self._at + size]
        if len(field) != size:
            raise OptionError(OptionReply.ERR_INVALID, "the option is shorter than its fields")
        self._at += size
        return field


def parse_name(data: bytes) -> str:
    """Read an export's name that is the whole of ``data``."""
    return _name(_Reader(data), len(data))


def parse_info(data: bytes) -> InfoQuery:
    """Read the data of INFO and GO."""
    reader = _Reader(data)
    name = _name(reader, reader.number(4))
    infos = frozenset(reader.number(2) for _ in range(reader.number(2)))
    reader.finish()
    return InfoQuery(name, infos)


def parse_meta(data: bytes) -> MetaQuery:
    """Read the data of LIST_META_CONTEXT and SET_META_CONTEXT."""
    reader = _Reader(data)
    name = _name(reader, reader.number(4))
    # Each turn takes at least four bytes or raises, so a false count ends with the data.
    queries = tuple(reader.text(reader.number(4)) for _ in range(reader.number(4)))
    reader.finish()
    if any(":" not in query for query in queries):
        raise OptionError(OptionReply.ERR_INVALID, "a query begins with a namespace and a colon")
    return MetaQuery(name, queries)


def parse_only(data: bytes) -> tuple[str, str]:
    """Read the data of ONLY: the name of an export, and the name that it is to have."""
    reader = _Reader(data)
    export = _name(reader, reader.number(4))
    shown = _name(reader, reader.number(4))
    reader.finish()
    return export, shown


def encode_only(export: str, shown: str) -> bytes:
    """Encode the option ONLY with its header."""
    data = b"".join(
        struct.pack(">I", len(name)) + name for name in (export.encode(), shown.encode())
    )
    return OPTION_HEADER.pack(OPTION_MAGIC, Option.ONLY, len(data)) + data


def _name(reader: _Reader, length: int) -> str:
    if length > NAME_BYTES_MAX:
        text = f"an export's name has at most {NAME_BYTES_MAX} bytes"
        raise OptionError(OptionReply.ERR_TOO_BIG, text)
    return reader.text(length)


def option_reply(option: int, reply: OptionReply, data: bytes = b"") -> bytes:
    """Encode one answer to an option."""
    return _REPLY_HEADER.pack(OPTION_REPLY_MAGIC, option, reply, len(data)) + data


def option_refusal(option: int, error: OptionError) -> bytes:
    """Encode the answer to an option that is refused."""
    return option_reply(option, error.reply, error.text.encode())


def server_replies(option: int, names: Iterable[str]) -> bytes:
    """Encode the answer to LIST: one reply per export, then ACK."""
    encoded = (name.encode() for name in names)
    replies = [
        option_reply(option, OptionReply.SERVER, struct.pack(">I", len(name)) + name)
        for name in encoded
    ]
    return b"".join(replies) + option_reply(option, OptionReply.ACK)


def info_replies(option: int, export: Export, infos: frozenset[int], structured: bool) -> bytes:
    """Encode the answer to INFO and GO: the export, its block sizes, its name if asked, then ACK.

    The block sizes are sent unasked: a client may skip them, and one that forgot to ask gains.
    """
    flags = export.transmission_flags(structured)
    facts = [
        struct.pack(">HQH", Info.EXPORT, export.size_bytes, flags),
        struct.pack(">HIII", Info.BLOCK_SIZE, 1, export.block_bytes, REQUEST_BYTES_MAX),
    ]
    if Info.NAME in infos:
        facts.append(struct.pack(">H", Info.NAME) + export.name.encode())
    replies = [option_reply(option, OptionReply.INFO, fact) for fact in facts]
    return b"".join(replies) + option_reply(option, OptionReply.ACK)


def context_replies(option: int, names: Iterable[str], *, with_ids: bool) -> bytes:
    """Encode the answer about metadata contexts: one reply for each, then ACK.

    An identity is given to a context that is chosen; one that is only listed has none.
    """
    replies = [
        option_reply(
            option,
            OptionReply.META_CONTEXT,
            struct.pack(">I", _CONTEXTS[name] if with_ids else 0) + name.encode(),
        )
        for name in names
    ]
    return b"".join(replies) + option_reply(option, OptionReply.ACK)


def export_name_reply(export: Export, structured: bool, no_zeroes: bool) -> bytes:
    """Encode the answer to EXPORT_NAME, which has no reply header and cannot be an error."""
    flags = export.transmission_flags(structured)
    reserve = b"" if no_zeroes else _RESERVE_OF_EXPORT_NAME
    return struct.pack(">QH", export.size_bytes, flags) + reserve
