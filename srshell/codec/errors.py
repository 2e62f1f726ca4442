"""The one error that decoding may raise.

Always true:

(1) Decoding any bytes at all either gives a value or raises `FormatError`; nothing else escapes.
(2) ``what`` names the first test that the bytes failed.  Callers decide by it, not by the text.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

#: magic     the bytes were never written by this format, or the sector is blank
#: version   intact, but written by a release that knows more than this one
#: checksum  damaged, torn or half overwritten
#: length    truncated, or it claims a size that cannot be
#: identity  intact, but it belongs to another place: other partnership, salt, chain, volume or slot
#: order     intact, but its LSN is not the one that must come here
Fault: TypeAlias = Literal["magic", "version", "checksum", "length", "identity", "order"]


class FormatError(ValueError):
    """Bytes that cannot be accepted as what they were read for.

    ``what`` is one of the words of `Fault`; the message says what was read and what was expected.
    """

    def __init__(self, what: Fault, message: str) -> None:
        """Keep ``what`` for the caller to branch on; ``message`` is for people."""
        super().__init__(message)
        self.what: Fault = what
        self.message = message

    def __str__(self) -> str:
        """Return the word and the message, as a log line shows them."""
        return f"{self.what}: {self.message}"

    def __reduce__(self) -> tuple[type[FormatError], tuple[Fault, str]]:
        """Keep both arguments when the error crosses a process pool."""
        return type(self), (self.what, self.message)
