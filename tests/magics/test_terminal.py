"""The commands in a real IPython at a real terminal."""

import re
import sys
from collections.abc import Iterable, Iterator

import pexpect
import pyte
import pytest

from tests.magics.sandbox import PROTECTION, RETURN, SETUP, TEARDOWN, Sandbox

PROMPT = r"In \[\d+\]: "


class Terminal:
    """IPython at the other end of a terminal of 24 lines and 200 columns."""

    def __init__(self, sandbox: Sandbox) -> None:
        command = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor"]
        self.child = pexpect.spawn(
            sys.executable,
            command,
            cwd=str(sandbox.directory),
            env=sandbox.environment,
            encoding="utf-8",
            timeout=60,
            dimensions=(24, 200),
        )
        self.child.expect(PROMPT)

    def run(self, line: str) -> str:
        """Type a line; what was shown until the next prompt."""
        self.child.sendline(line)
        self.child.expect(PROMPT)
        shown = self.child.before
        assert isinstance(shown, str)
        assert "Traceback" not in shown
        return shown

    def close(self) -> None:
        """Hang up, as a lost connection does."""
        self.child.close(force=True)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One fabric for the whole story."""
    made = Sandbox.make(tmp_path_factory.mktemp("terminal"))
    yield made
    made.srshell("stop")


def _tell(terminal: Terminal, story: Iterable[tuple[str, str]]) -> None:
    for line, expected in story:
        shown = terminal.run(line)
        assert expected in shown
        assert not re.search(r"^SR\d{4}", shown, re.MULTILINE)


def _interrupt_once(terminal: Terminal, line: str) -> str:
    """Press Ctrl-C once the line shows its progress; the number of the job that goes on."""
    terminal.child.sendline(line)
    terminal.child.expect(r"1/4 bring PriRG in step")
    terminal.child.sendintr()
    terminal.child.expect(r"job (\d+) \(failback RecRG\) goes on; once more to cancel it")
    assert isinstance(terminal.child.match, re.Match)
    return str(terminal.child.match[1])


def test_the_whole_way_in_a_terminal(sandbox: Sandbox) -> None:
    """What each step shows; all of it on standard output, and never a traceback."""
    terminal = Terminal(sandbox)
    assert "srshell" in terminal.run("%load_ext srshell")
    assert "sandbox" in terminal.run("%fabric start --sandbox")
    _tell(terminal, SETUP)
    _tell(terminal, ((line, "") for line, _ in SETUP))  # again: already so
    _tell(terminal, PROTECTION)

    # With the link down the failback waits for the other side.
    terminal.run("%fault link down --for 600s")
    number = _interrupt_once(terminal, "%failback RecRG --confirm PriRG")
    terminal.child.expect(rf"detached from job {number} \(failback RecRG\): it goes on")
    terminal.child.expect(PROMPT)
    assert "running" in terminal.run(f"%job {number}")
    assert _interrupt_once(terminal, f"%job {number} --wait") == number
    terminal.child.sendintr()
    terminal.child.expect(rf"job {number} \(failback RecRG\) was cancelled")
    terminal.child.expect(PROMPT)
    assert "SR5306" in terminal.run("%wait RecRG --until Synchronizing --timeout 1")
    terminal.run("%fault link down --for 0")
    _tell(terminal, RETURN)

    refused = terminal.run("%teardown PriRG")
    assert "SR0101" in refused
    assert "mend   %teardown PriRG --confirm PriRG" in refused
    _tell(terminal, TEARDOWN)
    terminal.close()


def test_a_terminal_that_hangs_up_takes_nothing_along(sandbox: Sandbox) -> None:
    """Owner and sites are not its children; a second shell finds them."""
    owners = []
    for _ in range(2):
        terminal = Terminal(sandbox)
        terminal.run("%load_ext srshell")
        terminal.run("info = %fabric")
        owners.append(re.findall(r"owner=\d+", terminal.run("f'owner={info.owner_pid}'")))
        terminal.close()
    assert owners[0] == owners[1]
    assert len(owners[0]) == 1


def test_the_prompt_of_people_shows_the_same(sandbox: Sandbox) -> None:
    """With colours, completion and all, seen on the screen of a terminal of 80 columns."""
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--ext=srshell"],
        cwd=str(sandbox.directory),
        env={**sandbox.environment, "COLUMNS": "80"},
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 80),
    )

    def read_until(text: str) -> None:
        while not any(text in line for line in screen.display):
            stream.feed(terminal.read_nonblocking(4096, 60))

    read_until("In [1]:")
    terminal.send("%status\r")
    read_until("In [2]:")
    assert any(line.startswith("GROUP  IsPrimary  ReplicationState") for line in screen.display)
    terminal.close(force=True)
