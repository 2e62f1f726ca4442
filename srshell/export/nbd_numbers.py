"""The numbers of the NBD protocol that this server knows, under the specification's names.

Specification: ``doc/proto.md`` of NetworkBlockDevice/nbd.  All fields are big endian.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

#: "NBDMAGIC", the first eight bytes of every server.
INIT_MAGIC: Final = 0x4E42444D41474943
#: "IHAVEOPT": newstyle negotiation, and the start of every option.
OPTION_MAGIC: Final = 0x49484156454F5054
OPTION_REPLY_MAGIC: Final = 0x0003E889045565A9
REQUEST_MAGIC: Final = 0x25609513
SIMPLE_REPLY_MAGIC: Final = 0x67446698
STRUCTURED_REPLY_MAGIC: Final = 0x668E33EF

#: Longest string that either side may send (section "Conventions").
STRING_BYTES_MAX: Final = 4096
#: Largest read or write; clients take it for granted where nothing smaller is announced.
REQUEST_BYTES_MAX: Final = 32 * 1024 * 1024


class HandshakeFlag(IntFlag):
    """Handshake flags of the server, and by the same bits the client's answer to them."""

    FIXED_NEWSTYLE = 1 << 0  # options other than EXPORT_NAME are understood
    NO_ZEROES = 1 << 1  # EXPORT_NAME's answer ends without 124 zeros


class Option(IntEnum):
    """Options that a client may send before it reads or writes (section "Option types")."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    STARTTLS = 5
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10
    EXTENDED_HEADERS = 11
    #: Our own: nothing but the export that it names is there for this connection, under the name
    #: that it gives.  A gateway sends it on behalf of the client that it passes on.
    ONLY = 0x73725331


class OptionReply(IntEnum):
    """Answers to options (section "Option reply types"); errors have bit 31 set."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    ERR_UNSUP = 2**31 + 1
    ERR_INVALID = 2**31 + 3
    ERR_TLS_REQD = 2**31 + 5
    ERR_UNKNOWN = 2**31 + 6
    ERR_SHUTDOWN = 2**31 + 7
    ERR_TOO_BIG = 2**31 + 9


class Info(IntEnum):
    """What a client may ask about an export with INFO and GO."""

    EXPORT = 0
    NAME = 1
    DESCRIPTION = 2
    BLOCK_SIZE = 3


class TransmissionFlag(IntFlag):
    """What an export can do (section "Transmission flags")."""

    HAS_FLAGS = 1 << 0
    READ_ONLY = 1 << 1
    SEND_FLUSH = 1 << 2
    SEND_FUA = 1 << 3
    SEND_TRIM = 1 << 5
    SEND_WRITE_ZEROES = 1 << 6
    SEND_DF = 1 << 7
    CAN_MULTI_CONN = 1 << 8
    SEND_CACHE = 1 << 10
    SEND_FAST_ZERO = 1 << 11


class Command(IntEnum):
    """Request types (section "Request types")."""

    READ = 0
    WRITE = 1
    DISC = 2
    FLUSH = 3
    TRIM = 4
    CACHE = 5
    WRITE_ZEROES = 6
    BLOCK_STATUS = 7


class CommandFlag(IntFlag):
    """Flags of a request (section "Command flags")."""

    FUA = 1 << 0  # answer when the change is durable
    NO_HOLE = 1 << 1  # write zeros without giving the space back
    DF = 1 << 2  # answer a read in one chunk
    REQ_ONE = 1 << 3  # describe one extent only
    FAST_ZERO = 1 << 4  # fail rather than write zeros slowly


class Chunk(IntEnum):
    """Types of structured reply chunks (section "Structured reply types")."""

    NONE = 0
    OFFSET_DATA = 1
    BLOCK_STATUS = 5
    ERROR = 2**15 + 1


#: Structured reply flag: the last chunk of its reply.
CHUNK_DONE: Final = 1


class NbdError(IntEnum):
    """Error values that may be sent, whatever this machine's ``errno`` says ("Error values")."""

    EPERM = 1
    EIO = 5
    ENOMEM = 12
    EINVAL = 22
    ENOSPC = 28
    EOVERFLOW = 75
    ENOTSUP = 95
    ESHUTDOWN = 108


# ENOTSUP is kept for FAST_ZERO: a client may take it for "write the zeros yourself".
_BY_ERRNO_NAME: Final = {
    "EACCES": NbdError.EPERM,
    "EDQUOT": NbdError.ENOSPC,
    "EFBIG": NbdError.ENOSPC,
    "EINVAL": NbdError.EINVAL,
    "ENOMEM": NbdError.ENOMEM,
    "ENOSPC": NbdError.ENOSPC,
    "EOVERFLOW": NbdError.EOVERFLOW,
    "EPERM": NbdError.EPERM,
    "EROFS": NbdError.EPERM,
    "ESHUTDOWN": NbdError.ESHUTDOWN,
}


def error_from_errno_name(errno_name: str) -> NbdError:
    """Return the nearest error that the protocol knows; EIO for what has none."""
    return _BY_ERRNO_NAME.get(errno_name, NbdError.EIO)
