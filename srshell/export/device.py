"""What an export is served from: six calls on a range of bytes.

Always true:

(1) Calls are made from the event loop, in the order in which their requests arrived; many are under
    way at once.  A device that does its bookkeeping before its first ``await`` sees that order.
(2) A call is never cancelled: when its client is gone, its result is waited for and dropped.
(3) What ``write`` is given belongs to the device: nobody changes it afterwards.  Likewise nobody
    may change what ``read`` returned.
(4) Offset and length lie inside the device, and length is at least 1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from enum import IntFlag
from typing import Protocol, TypeAlias, runtime_checkable

from srshell.codec.checksum import Buffer


class RangeFlag(IntFlag):
    """What is known of a range, in the bits of NBD's ``base:allocation``; 0 is always allowed."""

    HOLE = 1  # takes no space; a write there may find the disk full
    ZERO = 2  # reads as zeros


#: Length in bytes and flag bits of one range; it begins where the range before it ended.
Range: TypeAlias = tuple[int, int]


class DirtyFlag(IntFlag):
    """What is known of a range, in the bits of our context ``srshell:dirty``."""

    DIRTY = 1  # the other side may not hold what is here


class DeviceError(Exception):
    """A call failed; ``errno_name`` is a name of the ``errno`` module such as ``"ENOSPC"``.

    The message goes to the client as it is, if the client can take one.
    """

    def __init__(self, errno_name: str, message: str = "") -> None:
        super().__init__(errno_name, message)
        self.errno_name = errno_name
        self.message = message


class DeviceGone(DeviceError):
    """The device was not used, and is served here no longer: the client is cut off unanswered.

    One that comes again sends its request again, to whoever serves by then; an answer, whatever its
    number, would be passed on as an error of the disk.
    """


@runtime_checkable
class ReportsDirty(Protocol):
    """A device that knows what another copy of it lacks."""

    def dirty_ranges(self, offset: int, length: int) -> Awaitable[Sequence[Range]]:
        """Describe the range from ``offset`` on in `DirtyFlag` bits, as ``ranges`` does."""


@runtime_checkable
class ExplainsErrors(Protocol):
    """A device whose futures raise errors of its own."""

    def explain(self, error: BaseException) -> DeviceError | None:
        """Return what clients are told instead of ``error``; None: nobody foresaw it."""


class BlockDevice(Protocol):
    """A volume as a client sees it.

    The calls may be ``async def``.  A device that answers thousands of calls a second returns an
    ``asyncio.Future`` instead, which saves a task per call.  ``write``, ``trim`` and ``zero`` of
    one device all do the one or all do the other, or rule (1) would not hold between them.

    Every call may raise `DeviceError`, at once or when awaited, or what it can `explain`.
    """

    @property
    def size_bytes(self) -> int:
        """Size; does not change while the device is exported."""

    @property
    def block_bytes(self) -> int:
        """Preferred size and alignment of requests, a power of two; others are accepted too."""

    @property
    def read_only(self) -> bool:
        """Whether ``write``, ``trim`` and ``zero`` would be refused."""

    @property
    def multi_connection(self) -> bool:
        """Whether a flush on one connection covers what was answered on every connection."""

    @property
    def fast_zero(self) -> bool:
        """Whether ``zero`` costs much less than writing as many bytes."""

    def read(self, offset: int, length: int) -> Awaitable[Buffer]:
        """Return exactly ``length`` bytes."""

    def write(self, offset: int, data: Buffer, fua: bool) -> Awaitable[object]:
        """Store ``data``; with ``fua`` it is durable when the call returns."""

    def flush(self) -> Awaitable[object]:
        """Return when everything that was answered before this call is durable."""

    def trim(self, offset: int, length: int, fua: bool) -> Awaitable[object]:
        """Take note that the range is no longer needed; what it reads as is the device's choice."""

    def zero(self, offset: int, length: int, fua: bool, may_trim: bool) -> Awaitable[object]:
        """Make the range read as zeros; ``may_trim`` allows its space to be given back."""

    def ranges(self, offset: int, length: int) -> Awaitable[Sequence[Range]]:
        """Describe the range from ``offset`` on; it may stop early, after at least one byte."""
