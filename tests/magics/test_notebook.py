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
            interrupt_at: interrupt the kernel when a text begins with the first of these, then when
                one begins with the next: once for each, however often such a text is shown.
        """
        texts: list[str] = []
        left = list(interrupt_at)

        def show(message: dict[str, Any]) -> None:
            content = message["content"]
            text = content.get("text", content.get("data", {}).get("text/plain"))
            if text is not None:
                texts.append(text)
                if left and text.startswith(left[0]):
                    left.pop(0)
                    self.manager.interrupt_kernel()

        reply = self.client.execute_interactive(
            code, allow_stdin=True, timeout=WAIT_SECONDS, output_hook=show
        )
        content: dict[str, Any] = reply["content"]
        return content, texts

    def restart_amid(self, code: str, shown: str) -> None:
        """Begin a cell, and restart the kernel as soon as a text of it begins with ``shown``."""
        self.client.execute(code, allow_stdin=True)
        while True:
            content = self.client.get_iopub_msg(timeout=WAIT_SECONDS)["content"]
            if content.get("data", {}).get("text/plain", "").startswith(shown):
                break
        self.restart()

    def do(self, code: str) -> list[str]:
        """Run a cell that has to work; every text that was shown."""
        reply, texts = self.run(code)
        assert reply["status"] == "ok", reply
        return texts

    def value(self, expression: str) -> str:
        """The text of an expression's value."""
        return self.do(expression)[-1]

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
    kernel.do("%failover PriRG --planned --confirm RecRG")
    kernel.do("%wait RecRG --until Synchronizing")
    kernel.do("%fault link down --for 600s")

    reply, texts = kernel.run("%failback RecRG --confirm PriRG", "failback RecRG")
    assert reply["ename"] == "JobDetached", texts
    assert reply["traceback"][0].startswith("detached from job ")
    number = reply["evalue"].split("job ")[1].split()[0]
    assert texts[-2:] == [f"interrupted: job {number} (failback RecRG) goes on; {again}", ""]
    assert "running" in kernel.value(f"%job {number}")

    reply, texts = kernel.run(f"%job {number} --wait", "failback RecRG", "interrupted:")
    assert reply["ename"] == "JobDetached", texts
    assert "was cancelled" in reply["traceback"][0]
    # What only looks is asked for beside the wait, and lands in this cell all the same.
    reply, texts = kernel.run("%wait RecRG --until Synchronizing", "wait RecRG")
    assert reply["ename"] == "KeyboardInterrupt"
    assert reply["traceback"] == ["wait RecRG: interrupted; nothing was changed"]
    assert texts[0].startswith("wait RecRG")
    kernel.do("%fault link down --for 0")
    kernel.do("%wait RecRG --until Synchronizing")
    kernel.do("%failback RecRG --confirm PriRG")
    kernel.do("%wait PriRG --until Synchronizing")


def test_a_restart_of_the_kernel_in_the_middle_of_a_failover_stops_nothing(kernel: Kernel) -> None:
    """Owner and sites are no children of the kernel: the job goes on, and can be attached to."""
    kernel.do("%failover PriRG --planned --confirm RecRG")
    kernel.do("%wait RecRG --until Synchronizing")
    kernel.do("%fault link down --for 600s")
    before = kernel.value("get_ipython().run_line_magic('fabric', '').owner_pid")
    kernel.restart_amid("%failback RecRG --confirm PriRG", "failback RecRG")
    assert kernel.value("get_ipython().run_line_magic('fabric', '').owner_pid") == before
    kernel.do("jobs = %jobs")
    number = kernel.value("[job.id for job in jobs if job.command.startswith('failback')][0]")
    assert "running" in kernel.value(f"%job {number}")
    kernel.do("%fault link down --for 0")
    assert "PriRG): done" in kernel.value(f"%job {number} --wait")
    kernel.do("%wait PriRG --until Synchronizing")


def test_a_restart_of_the_kernel_in_the_middle_of_a_first_copy_stops_nothing(
    kernel: Kernel,
) -> None:
    """It is slow enough that it cannot be over before somebody looks again."""
    kernel.do("%provision Vol2 Copy2 --size 24M --logs Log2 CopyLog2 --log-size 10M")
    kernel.do("import os, srshell\nvolume = srshell.connect().volume('Vol2')")
    kernel.do("for at in range(24): volume.write(at << 20, os.urandom(1 << 20))")
    kernel.do("%group Group2 --data Vol2 --log Log2")
    kernel.do("%group CopyGroup2 --data Copy2 --log CopyLog2")
    kernel.do("%enable Group2 CopyGroup2")
    kernel.do("%group set Group2 --copy-rate 256K")  # the least there is: one and a half minutes
    kernel.restart_amid("%refresh --all", "refresh")
    assert "Replicating" in kernel.value("%status Group2")
    # The same question in Python, waited for in both ways: the kernel's own loop is running.
    kernel.do("import srshell\nfabric = srshell.connect()")
    asked = "[row.replication_state for row in {} if row.name == 'Group2']"
    for call in ("fabric.status()", "await fabric.aio.status()"):
        assert "Replicating" in kernel.value(asked.format(call))
    kernel.do("fabric.close()")
    kernel.do("%group set Group2 --copy-rate unlimited")
    assert "Synchronizing" in kernel.value("%wait Group2 --until Synchronizing")
    kernel.do("%teardown Group2 --confirm Group2")


def test_an_owner_that_was_killed_is_replaced_by_the_next_command(kernel: Kernel) -> None:
    """Replication went on meanwhile; the new owner finds the sites."""
    kernel.run("import os, signal\ninfo = %fabric")
    sites = kernel.value("[site.pid for site in info.sites]")
    kernel.run("os.kill(info.owner_pid, signal.SIGKILL)")
    assert "Synchronizing" in kernel.value("%wait PriRG --until Synchronizing")
    kernel.run("again = %fabric")
    assert kernel.value("again.owner_pid != info.owner_pid") == "True"
    assert kernel.value("[site.pid for site in again.sites]") == sites
