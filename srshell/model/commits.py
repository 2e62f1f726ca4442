"""Where the commits of a site's logs are made."""

from __future__ import annotations

from enum import StrEnum


class Commits(StrEnum):
    """A way of committing; all are as durable, and an acknowledgement needs the same."""

    AUTO = "auto"  # in the loop while one group writes to a quick disk, else in a thread
    THREAD = "thread"  # in the log's own thread
    DIRECT = "direct"  # in the event loop
