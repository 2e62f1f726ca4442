"""`%%vmm` and `%vmm` as IPython calls them.

Always true: making one imports nothing of the language; calling it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srshell_magics.loaded import Loaded
    from srshell_magics.vmm.cell import Cell

HELP = """\
%%vmm [--strict]
    Run the article's own command lines: assignments, the cmdlets of storage and replication with
    their parameters, pipelines with where, select, sort, fl and ft.  Each line shows the command
    of srshell that it became.

    What the article has wrong is mended, and said; what it leaves to the console (the refresh) or
    to patience (the wait for Synchronizing) is done before the line that needs it.  --strict
    mends nothing and does nothing of the kind.

    Variables of the cell begin with $ and stay for later cells; those of the notebook can be read.
    -WhatIf shows a plan and changes nothing; -Confirm asks for the name, or shows the line to type.

    %%vmm
    $PriArray = Get-SCStorageArray -Name "ClusterA"
    $RecArray = Get-SCStorageArray -Name "ClusterB"
    Set-SCStorageArray -StorageArray $PriArray -PeerStorageArrayName $RecArray.name
"""


class VmmMagic:
    """The magic of one shell; as a line magic it runs one line."""

    _ipython_magic_no_var_expand = True
    needs_local_scope = True

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._cell: Cell | None = None

    def __call__(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None
    ) -> None:
        """Run a cell, or the rest of a line."""
        from srshell_magics.vmm.cell import Cell

        if line.strip() in {"-h", "--help"} or (cell is None and not line.strip()):
            print(HELP)
            return
        if self._cell is None:
            self._cell = Cell(self.loaded.console)
        running = self._cell
        names = {**self.loaded.shell.user_ns, **(local_ns or {})}

        def work() -> None:
            strict, text = self._options(line, cell)
            running.run(text, names, strict=strict)

        self.loaded.console.guard(work)

    def _options(self, line: str, cell: str | None) -> tuple[bool, str]:
        from srshell.fabric.calls import unreadable

        words = line.split()
        strict = words[:1] == ["--strict"]
        rest = line.strip().removeprefix("--strict").strip() if strict else line.strip()
        if cell is None:
            return strict, rest
        if rest:
            raise unreadable("", f"%%vmm does not know {rest!r}", "did you mean: --strict")
        return strict, cell

    def getdoc(self) -> str:
        """What `%%vmm?` shows."""
        return HELP
