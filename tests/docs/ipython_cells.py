"""Run cells in a plain IPython shell: ``python ipython_cells.py CELLS.json``, a list of texts.

Always true: a line with the marker stands before the output of each cell.
"""

import json
import sys
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

MARKER = "=== cell ==="


def main(path: Path) -> int:
    """Run the cells one after the other; 1 if one of them raised what no command raises."""
    # IPython has no type hints at this seam.
    shell: Any = InteractiveShell.instance(colors="nocolor")
    failed = False
    for cell in json.loads(path.read_text(encoding="utf-8")):
        print(MARKER, flush=True)  # noqa: T201 - this is the protocol
        outcome = shell.run_cell(cell, store_history=True)
        error = outcome.error_in_exec or outcome.error_before_exec
        failed = failed or (error is not None and type(error).__name__ != "SrError")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
