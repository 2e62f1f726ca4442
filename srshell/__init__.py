"""Replicate storage volumes synchronously between two sites, from a shell, a notebook or Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Bring the commands into a shell: `%load_ext srshell`."""
    from srshell_magics import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the commands out of a shell again; the owner of the fabric goes on."""
    from srshell_magics import unload_ipython_extension as unload

    unload(shell)
