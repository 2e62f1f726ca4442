"""Sockets: who may connect, what a hostile peer gets, and what becomes of the file system."""

import asyncio
import gc
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from srshell.codec.checksum import crc32
from srshell.codec.messages import Commit, Dirty, Frame, encode_message
from srshell.site.process import loop_factory
from srshell.transport import (
    Link,
    LinkClosed,
    LinkRefused,
    StreamNetwork,
    stream_link,
    stream_network,
)

from .conftest import Pair, connect

MIB = 1024 * 1024


async def test_megabytes_pass_both_ways_at_once(unix_pair: Pair) -> None:
    """Eight MiB each way, in frames of mixed size, every byte checked."""
    sizes = [4096, 33, 65536, 262144, 17000, MIB - 3] * 6

    async def send(link: Link) -> None:
        for number, size in enumerate(sizes):
            body = bytes([number]) * size
            parts = [body[at : at + 4096] for at in range(0, size, 4096)]
            link.send(Frame(1, number + 1, len(parts), crc32(body), number), parts)
            await link.drain()

    async def check(link: Link) -> None:
        for number, size in enumerate(sizes):
            message, payload = await link.receive()
            assert isinstance(message, Frame)
            assert (message.first_lsn, len(payload)) == (number + 1, size)
            assert message.body_crc == crc32(payload)

    ours, theirs = unix_pair
    await asyncio.gather(send(ours), check(theirs), send(theirs), check(ours))


async def _accepted(network: StreamNetwork, path: Path) -> tuple[socket.socket, Link]:
    """Connect a socket without a protocol to a listener."""
    accepted: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def accept(link: Link) -> None:
        accepted.set_result(link)

    listener = await network.listen(f"unix:{path}", accept)
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, str(path))
    link = await accepted
    listener.close()
    return raw, link


async def _ended(raw: socket.socket) -> bool:
    """Say whether the peer closed: an end, or a reset if it left bytes unread."""
    try:
        return await asyncio.get_running_loop().sock_recv(raw, 1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_a_message_has_left_when_send_returns(tmp_path: Path, loop: str) -> None:
    """A commit that keeps the loop busy comes after it, so both disks work at the same time."""

    async def main() -> None:
        raw, link = await _accepted(StreamNetwork(), tmp_path / "link")
        payload = [b"a" * 4096] * 128
        frame = Frame(1, 1, 128, 0, 0)
        link.send(frame, payload)
        assert raw.recv(MIB) == b"".join(encode_message(frame, payload))
        raw.close()
        link.close()

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(main())


async def test_what_the_socket_does_not_take_follows_in_order(tmp_path: Path) -> None:
    """Part of a frame leaves at once, the rest and all that comes later when there is room."""
    raw, link = await _accepted(StreamNetwork(), tmp_path / "link")
    sent = bytearray()
    for number in range(8):
        parts = [bytes([number]) * MIB, bytes([100 + number]) * 4096]
        frame = Frame(1, number + 1, 2, 0, 0)
        link.send(frame, parts)
        sent += b"".join(encode_message(frame, parts))
    got = bytearray()
    while len(got) < len(sent):
        got += await asyncio.get_running_loop().sock_recv(raw, MIB)
    assert got == sent
    raw.close()
    link.close()


async def test_malformed_input_closes_the_link(tmp_path: Path) -> None:
    raw, link = await _accepted(StreamNetwork(), tmp_path / "link")
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(raw, bytes(encode_message(Commit(3))[0]) + b"GET / HTTP/1.1\r\n" * 3)
    assert await link.receive() == (Commit(3), b"")
    with pytest.raises(LinkClosed, match="what is no message"):
        await link.receive()
    with pytest.raises(LinkClosed):
        link.send(Commit(4))
    assert await _ended(raw)
    raw.close()


async def test_an_end_inside_a_message_is_told(tmp_path: Path) -> None:
    raw, link = await _accepted(StreamNetwork(), tmp_path / "link")
    head = encode_message(Dirty(0, 0, True), [bytes(100)])[0]
    await asyncio.get_running_loop().sock_sendall(raw, bytes(head) + bytes(50))
    raw.close()
    with pytest.raises(LinkClosed, match="inside a message"):
        await link.receive()


async def test_a_peer_that_never_reads_loses_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_link, "SEND_BYTES_MAX", 2 * MIB)
    raw, link = await _accepted(StreamNetwork(), tmp_path / "link")

    def send_for_ever() -> None:
        for number in range(100):
            link.send(Dirty(0, number, False), [bytes(MIB)])

    with pytest.raises(LinkClosed, match="unread"):
        send_for_ever()
    raw.close()


async def test_close_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_link, "CLOSE_SECONDS", 0.01)
    raw, link = await _accepted(StreamNetwork(), tmp_path / "link")
    for number in range(8):
        link.send(Dirty(0, number, False), [bytes(MIB)])
    lost = asyncio.Event()
    monkeypatch.setattr(link, "connection_lost", lambda _: lost.set())
    link.close()
    await lost.wait()
    raw.close()


async def test_a_unix_socket_is_private(tmp_path: Path) -> None:
    async def accept(link: Link) -> None:
        link.close()

    path = tmp_path / "link"
    before = os.umask(0o022)
    try:
        listener = await StreamNetwork().listen(f"unix:{path}", accept)
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    listener.close()
    assert not path.exists()


async def test_another_user_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def accept(link: Link) -> None:
        raise AssertionError("let in")

    monkeypatch.setattr(stream_network, "_peer", lambda _: ("unix, user 4711", False))
    listener = await StreamNetwork().listen(f"unix:{tmp_path}/link", accept)
    link = await StreamNetwork().connect(listener.address)
    with pytest.raises(LinkClosed):
        await link.receive()
    listener.close()


async def test_the_peer_is_named(unix_pair: Pair) -> None:
    _, theirs = unix_pair
    assert theirs.peer_name == f"unix, process {os.getpid()}, user {os.getuid()}"


async def test_a_socket_left_by_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "link"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()
    ours, theirs = await connect(StreamNetwork(), f"unix:{path}")
    ours.close()
    theirs.close()


async def test_a_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    async def accept(link: Link) -> None:
        link.close()

    network, address = StreamNetwork(), f"unix:{tmp_path}/link"
    listener = await network.listen(address, accept)
    with pytest.raises(LinkRefused, match="in use"):
        await network.listen(address, accept)
    assert (tmp_path / "link").exists()
    listener.close()


async def test_a_file_is_not_taken_for_a_socket(tmp_path: Path) -> None:
    async def accept(link: Link) -> None:
        link.close()

    (tmp_path / "link").write_text("precious")
    with pytest.raises(LinkRefused, match="in use"):
        await StreamNetwork().listen(f"unix:{tmp_path}/link", accept)
    assert (tmp_path / "link").read_text() == "precious"


async def test_a_listener_removes_only_its_own_socket(tmp_path: Path) -> None:
    async def accept(link: Link) -> None:
        link.close()

    path = tmp_path / "link"
    first = await StreamNetwork().listen(f"unix:{path}", accept)
    path.unlink()
    second = await StreamNetwork().listen(f"unix:{path}", accept)
    first.close()
    first.close()
    assert path.exists()
    second.close()


@pytest.mark.parametrize("turns", range(4))
async def test_a_listener_closed_in_the_middle_of_a_call_leaves_no_socket_open(
    tmp_path: Path, turns: int
) -> None:
    """In whichever turn of the loop it is; a socket left open fails the test when collected."""

    async def accept(link: Link) -> None:
        link.close()

    listener = await StreamNetwork().listen(f"unix:{tmp_path}/link", accept)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(f"{tmp_path}/link")
        for _ in range(turns):
            await asyncio.sleep(0)
        listener.close()
        caller.settimeout(0)
        for _ in range(10):
            await asyncio.sleep(0)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""
    gc.collect()


async def test_where_nobody_listens_the_link_is_refused(tmp_path: Path) -> None:
    network = StreamNetwork()
    for address in (f"unix:{tmp_path}/nobody", "tcp:127.0.0.1:1"):
        with pytest.raises(LinkRefused):
            await network.connect(address)


async def test_a_peer_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full backlog: connecting to it waits."""
    monkeypatch.setattr(stream_network, "CONNECT_SECONDS", 0.02)
    path = tmp_path / "deaf"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(path))
        deaf.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
            first.connect(str(path))
            with pytest.raises(LinkRefused):
                await StreamNetwork().connect(f"unix:{path}")


async def test_clear_text_stays_on_this_host() -> None:
    async def accept(link: Link) -> None:
        link.close()

    with pytest.raises(LinkRefused, match="not be encrypted"):
        await StreamNetwork().connect("tcp:192.0.2.1:9000")
    with pytest.raises(LinkRefused, match="not be encrypted"):
        await StreamNetwork().listen("tcp:0.0.0.0:0", accept)
    listener = await StreamNetwork(clear_text_hosts=True).listen("tcp:0.0.0.0:0", accept)
    listener.close()


@pytest.mark.parametrize("error", [LinkClosed("gone"), asyncio.CancelledError()])
async def test_a_link_is_closed_when_its_server_fails(tmp_path: Path, error: BaseException) -> None:
    async def accept(link: Link) -> None:
        raise error

    network = StreamNetwork()
    listener = await network.listen(f"unix:{tmp_path}/link", accept)
    link = await network.connect(listener.address)
    with pytest.raises(LinkClosed):
        await link.receive()
    listener.close()
