"""What two replicas say to each other when the primary verifies.

Always true: a question names a range or a log, and nothing is changed by any of them but by `Mend`;
`Agreed` lets the other side keep what it found, which is no change of what its volumes hold.
"""

from __future__ import annotations

from srshell.codec.wire import Crc, Number, Wire


class Digest(Wire, frozen=True):
    """What is the digest of the range (bytes) once you applied ``as_of_lsn``?"""

    sequence: Number
    volume: Number
    offset: Number
    length: Number
    as_of_lsn: Number


class DigestReply(Wire, frozen=True):
    """Answer to a digest: of all bytes, and for each block what it has and what was recorded."""

    sequence: Number
    digest: bytes
    checksums: bytes
    recorded: bytes
    past_cache: bool


class LogDigest(Wire, frozen=True):
    """What are the frames of your log on disk from here on, and what there is damaged?"""

    first_lsn: Number
    mend: bool


class LogDigestReply(Wire, frozen=True):
    """Rows of (first LSN, last LSN, body_crc), and a sentence about each damage."""

    rows: tuple[tuple[Number, Number, Crc], ...]
    damage: tuple[str, ...]


class Agreed(Wire, frozen=True):
    """The range that I last asked a digest of is equal here: record what you did not know."""

    sequence: Number


class Fetch(Wire, frozen=True):
    """Send me the range (bytes) as your device holds it: mine is wrong."""

    sequence: Number
    volume: Number
    offset: Number
    length: Number


class Fetched(Wire, frozen=True):
    """Answer to a fetch; the payload is the data, which ``crc`` covers."""

    sequence: Number
    crc: Crc


class Mend(Wire, frozen=True):
    """Your range (bytes) is wrong: write this payload, which ``crc`` covers, in its place."""

    sequence: Number
    volume: Number
    offset: Number
    length: Number
    crc: Crc


class Mended(Wire, frozen=True):
    """It is durable in my volume."""

    sequence: Number
