"""The keys of a terminal that does not speak UTF-8.

Always true: a byte that is no text ends nothing; what arrived together with it is left out.  Such
bytes come from a terminal of another encoding, and from what was pasted by mistake.
"""

from __future__ import annotations

import os

from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver


class Keys(LinuxDriver):
    """Textual's own driver, which would take the whole screen down."""

    def run_input_thread(self) -> None:
        """Read keys until the dashboard ends."""
        while True:
            try:
                super().run_input_thread()
            except UnicodeDecodeError:
                continue
            return


def driver_class() -> type[Driver] | None:
    """What reads and writes; None: Textual finds it, as for a page in a browser."""
    return None if os.environ.get("TEXTUAL_DRIVER") else Keys
