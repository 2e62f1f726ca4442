"""Shells of our own to type into, one for each test."""

import atexit
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from srshell_magics.extension import loaded_in
from tests.magics.samples import FakeFabric


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell with nothing loaded, which keeps its files to itself."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("SRSHELL_FABRIC", str(tmp_path / "fabric"))
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    made = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
    yield made
    if loaded_in(made) is not None:
        made.run_line_magic("unload_ext", "srshell")
    made.atexit_operations()  # type: ignore[no-untyped-call]
    atexit.unregister(made.atexit_operations)


@pytest.fixture
def fabric(shell: InteractiveShell) -> FakeFabric:
    """A fabric that the commands of the shell speak to."""
    shell.run_line_magic("load_ext", "srshell")
    loaded = loaded_in(shell)
    assert loaded is not None
    made = FakeFabric()
    loaded.console.connection.use(made)
    return made
