"""Shells of our own to type into, one for each test."""

import atexit
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from srshell_magics.extension import loaded_in
from tests.magics.samples import FakeFabric


@pytest.fixture(scope="module")
def one_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """A shell that keeps its files to itself; making one takes long, so it serves a module."""
    home = tmp_path_factory.mktemp("home")
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    config.IPCompleter.use_jedi = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(home))
        # A shell takes the place of __main__, which new processes are started from.
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        made = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
        yield made
        made.atexit_operations()  # type: ignore[no-untyped-call]
        atexit.unregister(made.atexit_operations)


@pytest.fixture
def shell(
    one_shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InteractiveShell]:
    """A shell with nothing loaded and no variables."""
    monkeypatch.setenv("SRSHELL_FABRIC", str(tmp_path / "fabric"))
    yield one_shell
    if loaded_in(one_shell) is not None:
        one_shell.run_line_magic("unload_ext", "srshell")
    one_shell.reset(new_session=False)  # type: ignore[no-untyped-call]


@pytest.fixture
def fabric(shell: InteractiveShell) -> FakeFabric:
    """A fabric that the commands of the shell speak to."""
    shell.run_line_magic("load_ext", "srshell")
    loaded = loaded_in(shell)
    assert loaded is not None
    made = FakeFabric()
    loaded.console.connection.use(made)
    return made
