"""What is to be written where, without copying a byte of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from srshell.codec.checksum import Buffer

#: No Unix promises to take more buffers in one call.
IOV_MAX: Final = 1024
ZERO_CHUNK_BYTES: Final = 1024 * 1024

_GATHERED_BYTES: Final = 64 * 1024

_ZEROS: Final = bytes(ZERO_CHUNK_BYTES)


class Write(msgspec.Struct, frozen=True, gc=False):
    """Buffers that go back to back to ``offset`` (bytes).

    The buffers are bytes-shaped (``len`` counts bytes) and must not change before the write is
    done, even if its caller was cancelled.
    """

    offset: int
    buffers: tuple[Buffer, ...]

    @property
    def length(self) -> int:
        """All bytes of the buffers together."""
        return sum(map(len, self.buffers))

    def __repr__(self) -> str:
        """Say what it is without what it holds."""
        return f"Write(offset={self.offset}, length={self.length})"


def drop_taken(buffers: list[Buffer], taken: int) -> None:
    """Remove the first ``taken`` bytes from a list of buffers, without copying any."""
    whole = 0
    while whole < len(buffers) and taken >= len(buffers[whole]):
        taken -= len(buffers[whole])
        whole += 1
    del buffers[:whole]
    if taken:
        buffers[0] = memoryview(buffers[0])[taken:]


def joined_writes(writes: Iterable[Write]) -> list[Write]:
    """Join writes that touch the one before, so that they are one system call."""
    joined: list[Write] = []
    end = -1
    for write in writes:
        if write.offset == end:
            joined[-1] = Write(joined[-1].offset, joined[-1].buffers + write.buffers)
        else:
            joined.append(write)
        end = write.offset + write.length
    return joined


def gathered_writes(pieces: Iterable[tuple[int, Buffer]]) -> Iterator[Write]:
    """Gather buffers, each with its offset (bytes), into writes; those that touch go together.

    Not without end: for a long write the kernel takes large folios, which are slow to come by and
    make later small writes dear.
    """
    start = end = -1
    run: list[Buffer] = []
    for offset, buffer in pieces:
        if offset != end or end - start >= _GATHERED_BYTES:
            if run:
                yield Write(start, tuple(run))
            start, run = offset, []
        run.append(buffer)
        end = offset + len(buffer)
    if run:
        yield Write(start, tuple(run))


def zero_writes(offset: int, length: int) -> Iterable[Write]:
    """Cover a range (bytes) with writes of zeros, at most 64 MiB each."""
    end = offset + length
    while offset < end:
        count, rest = divmod(min(end - offset, 64 * ZERO_CHUNK_BYTES), ZERO_CHUNK_BYTES)
        buffers = (_ZEROS,) * count + ((_ZEROS[:rest],) if rest else ())
        yield Write(offset, buffers)
        offset += count * ZERO_CHUNK_BYTES + rest
