"""A magic as IPython calls it: a line in, an object out.

Always true: making one imports nothing of the session; calling it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srshell_magics.loaded import Loaded


class MagicCommand:
    """One line magic of one shell."""

    #: IPython reads these: we fill variables in ourselves, and want those of the caller too.
    _ipython_magic_no_var_expand = True
    needs_local_scope = True

    def __init__(self, name: str, loaded: Loaded) -> None:
        self.name = name
        self.loaded = loaded

    def __call__(self, line: str, local_ns: Mapping[str, object] | None = None) -> object:
        """Carry out what was typed after the magic."""
        from srshell_magics.names import MAGICS

        names = {**self.loaded.shell.user_ns, **(local_ns or {})}
        return self.loaded.console.run(MAGICS[self.name], line, names)

    def getdoc(self) -> str:
        """What `%name?` shows."""
        from srshell_magics import help_text
        from srshell_magics.names import MAGICS

        return help_text.of_words(MAGICS[self.name], [])


class PlanMagic(MagicCommand):
    """`%plan`, which knows cells, too."""

    def __call__(  # type: ignore[override]
        self, line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None
    ) -> object:
        """Plan one command, or those of a cell."""
        if cell is None:
            return super().__call__(line, local_ns)
        if line.strip() in {"-h", "--help"}:
            from srshell_magics.plan_magic import HELP

            print(HELP)
            return None
        names = {**self.loaded.shell.user_ns, **(local_ns or {})}
        return self.loaded.console.plan_cell(line, cell, names)

    def getdoc(self) -> str:
        """What `%plan?` and `%%plan?` show."""
        from srshell_magics.plan_magic import HELP

        return f"{super().getdoc()}\n\n{HELP}"
