"""`%dashboard`: on the session of the prompt in a terminal, a picture where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pexpect
import pyte
import pytest

from tests.magics.sandbox import Sandbox
from tests.magics.test_notebook import _run
from tests.magics.test_terminal import PROMPT, Terminal

#: How long something may take to be seen, in seconds.
_PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One fabric with an array."""
    made = Sandbox.make(tmp_path_factory.mktemp("screen"))
    made.srshell("discover", "east", "--as", "ClusterA", "--site", "redmond")
    yield made
    made.srshell("stop")


def see(terminal: Terminal, screen: pyte.Screen, *wanted: str) -> None:
    """Wait until words are on the screen."""
    stream = pyte.Stream(screen)
    end = time.monotonic() + _PATIENCE_SECONDS
    while not all(word in "\n".join(screen.display) for word in wanted):
        assert time.monotonic() < end, "\n".join(screen.display)
        try:
            stream.feed(terminal.child.read_nonblocking(65536, timeout=0.5))
        except pexpect.TIMEOUT:
            continue


def test_it_opens_on_the_session_of_the_prompt_and_gives_the_prompt_back(sandbox: Sandbox) -> None:
    """What the shell does afterwards goes on where it was."""
    terminal = Terminal(sandbox)
    terminal.run("%load_ext srshell")
    assert "redmond" in terminal.run("%arrays")
    terminal.child.sendline("%dashboard --read-only")
    screen = pyte.Screen(200, 24)
    see(terminal, screen, "● connected", "ClusterA", "read-only")
    terminal.child.send("q")
    terminal.child.expect(PROMPT)
    assert "redmond" in terminal.run("%arrays")
    terminal.close()


def test_a_notebook_gets_a_picture_and_is_told_how_the_real_one_opens(sandbox: Sandbox) -> None:
    """As an image where one can be shown, and as text where not."""
    (outputs,) = _run(sandbox, "%dashboard")
    (value,) = [output["data"] for output in outputs if "data" in output]
    assert value["text/html"].startswith("<svg")
    assert "ClusterA" in value["text/plain"]
    assert "--web" in value["text/plain"]
