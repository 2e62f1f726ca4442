"""The commands in a real kernel: run by a program, interrupted, restarted."""

from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.magics.sandbox import PROTECTION, RETURN, SETUP, Sandbox

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One fabric for the whole story."""
    made = Sandbox.make(tmp_path_factory.mktemp("notebook"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RUNTIME", "CONFIG", "DATA"):
            patch.setenv(f"JUPYTER_{name}_DIR", str(made.directory / "home" / name))
        yield made
    made.srshell("stop")


def _run(sandbox: Sandbox, *cells: str) -> list[Any]:
    """Run cells as papermill and graders do; each cell's outputs."""
    v4: Any = nbformat.v4
    codes = [v4.new_code_cell(cell) for cell in ("%load_ext srshell", *cells)]
    notebook = v4.new_notebook(cells=codes)
    resources = {"metadata": {"path": str(sandbox.directory)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources)
    client.execute(env=sandbox.environment)
    nbformat.validate(notebook)
    return [cell.outputs for cell in notebook.cells[1:]]


def _text(outputs: list[Any]) -> str:
    """All text of a cell."""
    return "\n".join(
        output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"]
        for output in outputs
    )


def test_the_whole_way_in_a_notebook_that_a_program_runs(sandbox: Sandbox) -> None:
    """Nothing asks, nothing is written to standard error, and every value has both forms."""
    story = (*SETUP, *PROTECTION, *RETURN)
    cells = _run(sandbox, "%fabric start --sandbox", *(cell for cell, _ in story))
    for (cell, expected), outputs in zip(story, cells[1:], strict=True):
        assert expected in _text(outputs), cell
        assert not [o for o in outputs if o["output_type"] == "stream" and o["name"] != "stdout"]
        values = [o["data"] for o in outputs if o["output_type"] == "execute_result"]
        assert all("text/html" in value for value in values if cell.startswith("%"))
        # Nobody watches: no line of progress is left in the saved notebook.
        assert not [o for o in outputs if o["output_type"] == "display_data"]


def test_a_refusal_stops_the_notebook_and_names_its_code(sandbox: Sandbox) -> None:
    """A program reads the name and the value of the error, a person its lines."""
    with pytest.raises(CellExecutionError) as stopped:
        _run(sandbox, "%failover PriRG --planned", "%status")
    assert stopped.value.ename == "SrError"
    assert stopped.value.evalue.startswith("SR0101 ")
    assert "mend   %failover PriRG --planned --confirm RecRG" in str(stopped.value)
    assert "plan   3 steps: seal, demote, promote" in str(stopped.value)
    assert "line 1" not in str(stopped.value)


class Kernel:
    """A kernel with somebody in front of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=sandbox.environment, cwd=str(sandbox.directory))
        self.client: BlockingKernelClient = self.manager.client()
        self._connect()

    def _connect(self) -> None:
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WAIT_SECONDS)
        self.run("%load_ext srshell")

    def restart(self) -> None:
        """As the button does."""
        self.client.stop_channels()
        self.manager.restart_kernel(now=True)
        self.client = self.manager.client()
        self._connect()

    def run(self, code: str, *interrupt_at: str) -> tuple[dict[str, Any], list[str]]:
        """Run a cell; the reply, and every text that was shown, replaced ones too.

        Args:
            code: the cell.
            interrupt_at: interrupt the kernel each time that a text begins with one of these.
        """
        texts: list[str] = []

        def show(message: dict[str, Any]) -> None:
            content = message["content"]
            text = content.get("text", content.get("data", {}).get("text/plain"))
            if text is not None:
                texts.append(text)
                if text.startswith(interrupt_at):
                    self.manager.interrupt_kernel()

        reply = self.client.execute_interactive(
            code, allow_stdin=True, timeout=WAIT_SECONDS, output_hook=show
        )
        content: dict[str, Any] = reply["content"]
        return content, texts

    def value(self, expression: str) -> str:
        """The text of an expression's value."""
        reply, texts = self.run(expression)
        assert reply["status"] == "ok", reply
        return texts[-1]

    def close(self) -> None:
        """Shut the kernel down."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(sandbox: Sandbox) -> Iterator[Kernel]:
    """A kernel of the sandbox."""
    made = Kernel(sandbox)
    yield made
    made.close()


def test_interrupting_a_cell_detaches_and_interrupting_again_cancels(kernel: Kernel) -> None:
    """The line of progress lands in the cell that waits, and is replaced there."""
    again = "once more to cancel it"
    kernel.run("%failover PriRG --planned --confirm RecRG")
    kernel.run("%wait RecRG --until Synchronizing")
    kernel.run("%fault link down --for 600s")

    reply, texts = kernel.run("%failback RecRG --confirm PriRG", "failback RecRG")
    assert reply["ename"] == "JobDetached"
    assert reply["traceback"][0].startswith("detached from job ")
    number = reply["evalue"].split("job ")[1].split()[0]
    assert texts[-2:] == [f"interrupted: job {number} (failback RecRG) goes on; {again}", ""]
    assert "running" in kernel.value(f"%job {number}")

    reply, _ = kernel.run(f"%job {number} --wait", "failback RecRG", "interrupted:")
    assert reply["ename"] == "JobDetached"
    assert "was cancelled" in reply["traceback"][0]
    # What only looks is asked for beside the wait, and lands in this cell all the same.
    reply, texts = kernel.run("%wait RecRG --until Synchronizing", "wait RecRG")
    assert reply["ename"] == "KeyboardInterrupt"
    assert reply["traceback"] == ["wait RecRG: interrupted; nothing was changed"]
    assert texts[0].startswith("wait RecRG")
    kernel.run("%fault link down --for 0")
    kernel.run("%wait RecRG --until Synchronizing")
    kernel.run("%failback RecRG --confirm PriRG")


def test_after_a_restart_of_the_kernel_everything_is_still_there(kernel: Kernel) -> None:
    """Owner and sites are no children of the kernel; the variables are."""
    kernel.run("%suspend PriRG")
    before = kernel.value("get_ipython().run_line_magic('fabric', '').owner_pid")
    kernel.restart()
    assert kernel.value("get_ipython().run_line_magic('fabric', '').owner_pid") == before
    assert "Suspended" in kernel.value("%status PriRG")
    kernel.run("%resume PriRG")


def test_an_owner_that_was_killed_is_replaced_by_the_next_command(kernel: Kernel) -> None:
    """Replication went on meanwhile; the new owner finds the sites."""
    kernel.run("import os, signal\ninfo = %fabric")
    sites = kernel.value("[site.pid for site in info.sites]")
    kernel.run("os.kill(info.owner_pid, signal.SIGKILL)")
    assert "Synchronizing" in kernel.value("%wait PriRG --until Synchronizing")
    kernel.run("again = %fabric")
    assert kernel.value("again.owner_pid != info.owner_pid") == "True"
    assert kernel.value("[site.pid for site in again.sites]") == sites
