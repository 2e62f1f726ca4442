"""Standard streams that are closed, full, or that nobody reads.

Always true, once `take` has returned:

(1) Descriptors 0, 1 and 2 are open: no socket and no file of ours gets one of their numbers.
(2) What standard output does not take raises SR0109, or BrokenPipeError where the reader went away.
(3) What standard error does not take is left unsaid: nobody is there to hear it, and the exit code
    still says how it ended.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from srshell.model.errors import SrError

_LAST_STANDARD = 2


def take() -> None:
    """Make the streams of this process fit to be used; for a process that is ours alone."""
    _open_closed()
    # Python has no stream where the descriptor was closed when it began.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115 - lives as long as the process
    sys.stdout = cast("TextIO", _Output(sys.stdout or open(os.devnull, "w")))  # noqa: PTH123, SIM115
    sys.stderr = cast("TextIO", _Errors(sys.stderr or open(os.devnull, "w")))  # noqa: PTH123, SIM115


def discard() -> None:
    """Let what is still to be printed vanish; Python would complain of it at its end."""
    target = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    with suppress(OSError):
        os.dup2(target, sys.stdout.fileno())
    os.close(target)


def _open_closed() -> None:
    """Open what was closed as a device that holds nothing; processes started here get it, too."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= _LAST_STANDARD:
        os.set_inheritable(number, True)
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


class _Stream:
    """A text stream; what is not said here is as in the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


class _Output(_Stream):
    """Standard output: what cannot be written is said."""

    def write(self, text: str) -> int:
        """Write; raises SrError SR0109."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _unwritten(error) from error

    def flush(self) -> None:
        """Push out what was written; raises SrError SR0109."""
        try:
            self._stream.flush()
        except OSError as error:
            raise _unwritten(error) from error


class _Errors(_Stream):
    """Standard error: what cannot be written is left out."""

    def write(self, text: str) -> int:
        """Write, if that can be done."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Push out what was written, if that can be done."""
        with suppress(OSError):
            self._stream.flush()


def _unwritten(error: OSError) -> Exception:
    """What is raised where standard output takes no more."""
    if isinstance(error, BrokenPipeError):
        return error
    discard()
    return SrError.make("SR0109", facts=f"standard output: {error.strerror or error}")
