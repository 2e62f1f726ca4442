"""What `%load_ext srshell` costs, told by what it imports rather than by a clock."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config)
before = set(sys.modules)
shell.run_line_magic("load_ext", "srshell")
print(*sorted(set(sys.modules) - before))
print(*sorted(sys.modules))
"""


def test_loading_imports_next_to_nothing(tmp_path: Path) -> None:
    """No server, no dashboard, no database, no report and not even the registry of commands."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython"), "PATH": ""},
    )
    assert result.stderr == ""
    banner, new, everything = result.stdout.splitlines()
    assert banner.startswith("srshell ")
    heavy = {"aiohttp", "textual", "lark", "apsw", "rich", "msgspec", "bitarray", "platformdirs"}
    assert not heavy & set(everything.split())
    own = {name for name in new.split() if not name.startswith("srshell")}
    assert len(own) <= 5, own
    assert not [name for name in new.split() if name.startswith("srshell.")]
