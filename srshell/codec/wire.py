"""What every message is made of.

Always true: a message is an array of its fields, in order; numbers are bounded when it is read.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

#: LSNs, counts, sizes and times: never negative, never beyond what a file or a log can have.
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
#: A CRC-32.
Crc: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class Wire(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """A message is an array of its fields; it holds no cycles, so the collector may skip it."""
