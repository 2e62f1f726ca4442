"""Whether a directory is one in which nobody else can put a file in place of ours.

Always true: root is trusted, and so is the group that is this user's own first one, as on systems
where every user has a group of his own.
"""

from __future__ import annotations

import os
import stat


def who_else_writes(status: os.stat_result) -> str:
    """Say who else may write into a directory; empty for nobody."""
    if status.st_uid not in {0, os.geteuid()}:
        return f"it belongs to user {status.st_uid}"
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IWOTH:
        return f"every user may write into it (mode {mode:o})"
    if mode & stat.S_IWGRP and status.st_gid not in {0, os.getegid()}:
        return f"group {status.st_gid} may write into it (mode {mode:o})"
    return ""
