"""The commands of srshell in IPython and Jupyter; `%load_ext srshell` brings them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Bring the commands into a shell; loading again changes nothing."""
    from srshell_magics.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the commands out again and hang up; the owner goes on."""
    from srshell_magics.extension import unload

    unload(shell)
