"""Run the code of a notebook again, cell by cell: ``python -m srshell_magics.rerun NOTEBOOK``.

Always true:

(1) A cell that fails ends nothing: the next ones run, as a grader runs them.
(2) The exit code is 1 if any cell failed, and the last line says which.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(notebook: str) -> int:
    """Run the notebook in a shell of its own."""
    from IPython.core.interactiveshell import InteractiveShell

    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    shell = InteractiveShell.instance()
    failed = []
    for number, cell in enumerate(cells, 1):
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] != "code" or not source.strip():
            continue
        ran = shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        if not ran.success:
            failed.append(f"cell {number}: {source.splitlines()[0]}")
    if failed:
        print(f"\nfailed: {'; '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
