"""Replicate storage volumes synchronously between two sites, from a shell, a notebook or Python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from srshell.fabric.job_report import JobDetached
    from srshell.fabric.opening import open_fabric
    from srshell.fabric.sync_client import connect
    from srshell.model.errors import SrError

__all__ = ["JobDetached", "SrError", "__version__", "connect", "open_fabric"]

__version__ = "0.1.0"

#: Public names and where they live; each is loaded when it is used first.
_HOMES = {
    "JobDetached": "srshell.fabric.job_report",
    "SrError": "srshell.model.errors",
    "connect": "srshell.fabric.sync_client",
    "open_fabric": "srshell.fabric.opening",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever lives there
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *_HOMES})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Bring the commands into a shell: `%load_ext srshell`."""
    from srshell_magics import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the commands out of a shell again; the owner of the fabric goes on."""
    from srshell_magics import unload_ipython_extension as unload

    unload(shell)
