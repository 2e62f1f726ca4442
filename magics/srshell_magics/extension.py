"""Loading and unloading: which names a shell gains, and gives back.

Always true:

(1) Loading imports neither session nor reports, and asks no owner.
(2) A magic of somebody else keeps its name; `%sr` takes every command all the same.
(3) Unloading leaves the shell as it was, and the owner running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from srshell import __version__
from srshell_magics import formatters
from srshell_magics.command import MagicCommand, PlanMagic
from srshell_magics.completion import Completion
from srshell_magics.loaded import NAMES, Loaded
from srshell_magics.settings import SRShell
from srshell_magics.vmm.magic import VmmMagic

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Names that are there whether or not short names are wanted.
_ALWAYS = frozenset({"sr", "fabric"})

_LOADED: WeakKeyDictionary[InteractiveShell, tuple[Loaded, Completion]] = WeakKeyDictionary()


def loaded_in(shell: InteractiveShell) -> Loaded | None:
    """The commands of a shell; None while they are not loaded."""
    return _LOADED[shell][0] if shell in _LOADED else None


def load(shell: InteractiveShell) -> None:
    """Bring the commands into a shell."""
    if shell in _LOADED:
        return
    loaded = Loaded(shell, SRShell(parent=shell))
    completion = Completion(loaded)
    _LOADED[shell] = (loaded, completion)
    shell.configurables.append(loaded.settings)  # type: ignore[arg-type]
    shell.Completer.custom_matchers.append(completion)
    formatters.register(shell, loaded.settings)
    taken = _add(loaded)
    loaded.settings.observe(lambda _change: _rename(loaded), "short_names")
    others = f"   taken by others: {', '.join(taken)}" if taken else ""
    print(f"srshell {__version__}   help: %sr?{others}")


def unload(shell: InteractiveShell) -> None:
    """Take the commands out of a shell."""
    if shell not in _LOADED:
        return
    loaded, completion = _LOADED.pop(shell)
    _remove(loaded)
    formatters.unregister(shell)
    shell.Completer.custom_matchers.remove(completion)
    shell.configurables.remove(loaded.settings)  # type: ignore[arg-type]
    loaded.close()


def _add(loaded: Loaded) -> list[str]:
    """Register the magics; returns those whose names others have taken."""
    table = _table(loaded)
    manager = loaded.shell.magics_manager
    taken = []
    for name in NAMES:
        if name not in _ALWAYS and not loaded.settings.short_names:
            continue
        if name in table and not isinstance(table[name], MagicCommand):
            taken.append(f"%{name}")
            continue
        if name == "plan":
            manager.register_function(PlanMagic(name, loaded), "line_cell", name)
        else:
            manager.register_function(MagicCommand(name, loaded), "line", name)
    manager.register_function(VmmMagic(loaded), "line_cell", "vmm")
    return taken


def _remove(loaded: Loaded) -> None:
    """Take our magics out."""
    table = _table(loaded)
    for name in NAMES:
        command = table.get(name)
        if isinstance(command, MagicCommand) and command.loaded is loaded:
            del table[name]
    cells: dict[str, Any] = loaded.shell.magics_manager.magics["cell"]
    if isinstance(cells.get("plan"), PlanMagic):
        del cells["plan"]
    for kind in loaded.shell.magics_manager.magics.values():
        if isinstance(kind.get("vmm"), VmmMagic):
            del kind["vmm"]


def _rename(loaded: Loaded) -> None:
    """Short names were switched on or off."""
    _remove(loaded)
    _add(loaded)


def _table(loaded: Loaded) -> dict[str, Any]:
    """The line magics of a shell."""
    table: dict[str, Any] = loaded.shell.magics_manager.magics["line"]
    return table
