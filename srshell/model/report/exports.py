"""Where volumes are served; apart from the other reports, because every site makes it.

Always true: this module imports no other report, so that a site starts without them.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class NbdExport:
    """Where a volume is served."""

    uri: str
    volume: str
    read_only: bool
    ack_mode: str = "strict"
    serving: bool = True
    primary_volume: str = ""  # with the same data, where another one leads
    schema: str = "srshell.nbd/1"

    def __str__(self) -> str:
        return self.uri
