"""Nothing that a client opened stays open: not what was cancelled, nor what came after its end."""

import asyncio
import threading
from pathlib import Path

import pytest

from srshell.fabric.connections import Connections
from srshell.fabric.control_http import ControlHttp, OwnerGone
from srshell.fabric.threads import LoopThread
from srshell.model.errors import SrError


class Watched(ControlHttp):
    """A connection that knows whether it was closed."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.closed = threading.Event()

    def close(self) -> None:
        super().close()
        self.closed.set()


class Opener:
    """Opens connections, as slowly as it is told to."""

    def __init__(self) -> None:
        self.opened: list[Watched] = []
        self.begun, self.may = threading.Event(), threading.Event()
        self.may.set()

    def __call__(self) -> ControlHttp:
        self.begun.set()
        self.may.wait(10)
        self.opened.append(Watched())
        return self.opened[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def test_a_connection_is_used_again_after_an_answer_even_if_that_is_an_error(
    opener: Opener,
) -> None:
    connections = Connections(opener)

    def refuse(_: ControlHttp) -> None:
        raise SrError.make("SR0105", mend="look", noun="volume", name="x")

    assert await connections.ask(lambda _: 1) == 1
    with pytest.raises(SrError):
        await connections.ask(refuse)
    assert await connections.ask(lambda _: 2) == 2
    (only,) = opener.opened
    assert not only.closed.is_set()
    connections.close()
    assert only.closed.is_set()


async def test_a_connection_that_failed_is_closed_and_not_used_again(opener: Opener) -> None:
    connections = Connections(opener)

    def fail(_: ControlHttp) -> None:
        raise OwnerGone("away")

    with pytest.raises(OwnerGone):
        await connections.ask(fail)
    await connections.ask(lambda _: None)
    first, second = opener.opened
    assert first.closed.is_set()
    assert not second.closed.is_set()


async def test_who_is_cancelled_while_a_connection_opens_leaves_none_open(opener: Opener) -> None:
    opener.may.clear()
    opening = asyncio.create_task(Connections(opener).ask(lambda _: None))
    await until(opener.begun)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    opener.may.set()
    while not opener.opened:  # noqa: ASYNC110 - the thread has no event for it
        await asyncio.sleep(0.001)
    await until(opener.opened[0].closed)


@pytest.mark.parametrize("answered", [False, True], ids=["while asking", "once it was answered"])
async def test_who_is_cancelled_closes_the_connection(opener: Opener, answered: bool) -> None:
    asked, may = threading.Event(), threading.Event()

    def ask(_: ControlHttp) -> None:
        asked.set()
        may.wait(10)

    asking = asyncio.create_task(Connections(opener).ask(ask))
    await until(asked)
    if answered:
        # The answer comes and the cancellation hits in one turn of the loop.
        may.set()
        asyncio.get_running_loop().call_later(0.05, asking.cancel)
        threading.Event().wait(0.1)
    else:
        asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    may.set()
    await until(opener.opened[0].closed)


async def test_a_request_under_way_when_the_client_ends_is_closed_with_its_answer(
    opener: Opener,
) -> None:
    connections = Connections(opener)
    asked, may = threading.Event(), threading.Event()

    def ask(_: ControlHttp) -> int:
        asked.set()
        may.wait(10)
        return 7

    asking = asyncio.create_task(connections.ask(ask))
    await until(asked)
    connections.close()
    may.set()
    assert await asking == 7
    assert opener.opened[0].closed.is_set()


def test_what_still_runs_on_a_loop_that_is_closed_is_cancelled() -> None:
    loop, ended = LoopThread(), threading.Event()

    async def begin() -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.add_done_callback(lambda _: ended.set())

    loop.run(begin())
    loop.close()
    assert ended.is_set()


def test_a_loop_that_cannot_be_made_is_an_error_and_no_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio, "new_event_loop", fail)
    with pytest.raises(OSError, match="Too many"):
        LoopThread()
