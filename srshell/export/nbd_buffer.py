"""Bytes received and not yet understood, and the payload that is being received.

Always true:

(1) Received bytes are ``memory[start:end]``, or they belong to the payload being filled, or they
    are among those to be skipped; every byte is counted once.
(2) The memory is used again after each receive.  What leaves this class is a copy or, for a large
    payload, memory of its own that nobody can write to any more: never a view of the reused memory.
(3) A large payload is received in place, so it is copied neither here nor by the kernel twice.
"""

from __future__ import annotations

from srshell.codec.checksum import Buffer


class ReceiveBuffer:
    """Reused memory for headers and small payloads, with a way around it for large ones."""

    __slots__ = ("_end", "_filled", "_memory", "_payload", "_skip_bytes", "_start", "_view")

    def __init__(self, capacity_bytes: int) -> None:
        self._memory = bytearray(capacity_bytes)
        self._view = memoryview(self._memory)
        self._start = 0
        self._end = 0
        self._skip_bytes = 0
        self._payload: memoryview | None = None
        self._filled = 0

    @property
    def available_bytes(self) -> int:
        """Bytes received and neither consumed nor skipped."""
        return self._end - self._start

    @property
    def memory(self) -> bytearray:
        """The reused memory, for ``unpack_from`` at `position` alone."""
        return self._memory

    @property
    def position(self) -> int:
        """Where the available bytes begin in `memory`."""
        return self._start

    def room(self) -> memoryview:
        """Return where the next bytes are to be stored; never empty while a request is incomplete.

        Views that were returned before must not be used any more.
        """
        if self._payload is not None:
            return self._payload[self._filled :]
        if self._start:
            rest = self._end - self._start
            if rest:
                self._view[:rest] = self._view[self._start : self._end]
            self._start, self._end = 0, rest
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """Take note that ``count`` bytes were stored in `room`."""
        if self._payload is not None:
            self._filled += count
            return
        self._end += count
        if self._skip_bytes:
            self.skip(0)

    def consume(self, count: int) -> None:
        """Step over ``count`` available bytes."""
        self._start += count

    def take(self, count: int) -> bytes:
        """Return ``count`` available bytes as an object of their own, and step over them."""
        start = self._start
        self._start = end = start + count
        return bytes(self._view[start:end])

    def skip(self, count: int) -> None:
        """Drop the next ``count`` bytes, also those that have not arrived yet."""
        self._skip_bytes += count
        dropped = min(self._skip_bytes, self._end - self._start)
        self._start += dropped
        self._skip_bytes -= dropped

    def begin_payload(self, length: int) -> None:
        """Receive the next ``length`` bytes into memory of their own; see `finished_payload`.

        ``length`` is larger than what is available.
        """
        payload = memoryview(bytearray(length))
        arrived = self._end - self._start
        assert arrived < length, (arrived, length)
        payload[:arrived] = self._view[self._start : self._end]
        self._start = self._end = 0
        self._payload = payload
        self._filled = arrived

    def finished_payload(self) -> Buffer | None:
        """Return the payload once it is complete, as a view that cannot be written to."""
        payload = self._payload
        if payload is None or self._filled < len(payload):
            return None
        self._payload = None
        return payload.toreadonly()

    def drop_payload(self) -> None:
        """Give up the payload that is being received: what is missing of it is skipped."""
        payload = self._payload
        if payload is not None:
            self._payload = None
            self.skip(len(payload) - self._filled)

    def resize(self, capacity_bytes: int) -> None:
        """Change the reused memory's size; what is available stays."""
        rest = bytes(self._view[self._start : self._end])
        self._memory = bytearray(capacity_bytes)
        self._view = memoryview(self._memory)
        self._view[: len(rest)] = rest
        self._start, self._end = 0, len(rest)
