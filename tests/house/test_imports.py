"""The floor plan holds, in the static graph and in a running interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import configuration
from importlinter.application.use_cases import lint_imports

from tests.house import source_tree

SCREENS = ("textual", "IPython", "rich")
SERVERS = ("aiohttp", "apsw", "lark")
ENGINES = ("asyncio", "srshell.storage", "srshell.engine")


def test_every_import_contract_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The contracts stand in pyproject.toml; the failure prints the lines that break them."""
    monkeypatch.chdir(source_tree.ROOT)
    configuration.configure()
    kept = lint_imports(config_filename="pyproject.toml", cache_dir=None)
    assert kept, capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        pytest.param("srshell", (*SCREENS, *SERVERS), id="library"),
        pytest.param("srshell.cli", ("textual", "IPython"), id="command-line"),
        pytest.param(
            "srshell.cli.command_line", (*SCREENS, *SERVERS, *ENGINES), id="most-commands"
        ),
        pytest.param("srshell_magics", ("textual", *SERVERS), id="magics"),
    ],
)
def test_importing_pays_only_for_what_is_used(
    module: str, unwanted: tuple[str, ...], tmp_path: Path
) -> None:
    """The linter cannot see an import that a library makes on our behalf; sys.modules can."""
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    command = [sys.executable, "-I", "-c", program]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not set(unwanted) & set(result.stdout.split())
