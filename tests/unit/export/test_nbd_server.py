"""The server: its socket, its exports, and how clients are sent away."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from srshell.export.nbd_protocol import Phase
from srshell.export.nbd_server import NbdServer
from srshell.export.nbd_session import SessionLimits
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice
from tests.unit.export.sockets import Client, Serving, serving, until


def gated() -> MemoryDevice:
    return MemoryDevice(gate=asyncio.Event())


def nothing(name: str) -> None:
    """Have no export of that name."""


async def under_way(at: Serving, cookie: int = 1) -> Client:
    """A client with one write that the device holds."""
    client = await at.client()
    before = len(at.device.calls)
    client.send(wire.write(0, b"x", cookie=cookie))
    await until(lambda: len(at.device.calls) > before)
    return client


def released(device: MemoryDevice) -> None:
    assert device.gate is not None
    device.gate.set()


async def test_the_socket_is_the_owners_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        assert stat.S_IMODE(at.path.stat().st_mode) == 0o600
    assert not at.path.exists()


async def test_the_empty_name_stands_for_the_only_export(tmp_path: Path) -> None:
    """``nbd+unix:///?socket=...`` is what people type first."""
    async with serving(tmp_path) as at:
        await at.client("")
        assert at.server.clients("vol") == 1


async def test_the_empty_name_stands_for_none_of_several(tmp_path: Path) -> None:
    async with serving(tmp_path, MemoryDevice(), MemoryDevice()) as at:
        client = await at.client(name=None)
        await client.receive(18)
        client.send(wire.client_flags() + wire.go(""))
        assert (await client.option_reply()).kind == wire.ERR_UNKNOWN


async def test_sending_clients_away_answers_what_is_under_way(tmp_path: Path) -> None:
    """New requests meet ESHUTDOWN; the client goes when the last call has returned."""
    async with serving(tmp_path, gated()) as at:
        client = await under_way(at)
        leaving = asyncio.ensure_future(at.server.disconnect("vol"))
        await asyncio.sleep(0)
        client.send(wire.write(0, b"y", cookie=2))
        assert await client.simple_reply() == (2, wire.ESHUTDOWN)
        assert not leaving.done()
        released(at.device)
        assert await client.ended() == wire.simple(cookie=1)
        assert await leaving == 0
        assert at.device.calls == [("write", 0, 1, False)]


async def test_nobody_comes_in_while_clients_are_sent_away(tmp_path: Path) -> None:
    """Afterwards the door is open again: whether anything is behind it is the site's choice."""
    async with serving(tmp_path, gated()) as at:
        await under_way(at)
        leaving = asyncio.ensure_future(at.server.disconnect("vol"))
        await asyncio.sleep(0)
        late = await at.client(name=None)
        await late.receive(18)
        late.send(wire.client_flags() + wire.go("vol"))
        assert (await late.option_reply()).kind == wire.ERR_SHUTDOWN
        released(at.device)
        await leaving
        await at.client()


async def test_clients_of_other_exports_stay(tmp_path: Path) -> None:
    async with serving(tmp_path, MemoryDevice(), MemoryDevice()) as at:
        first, second = await at.client("vol"), await at.client("vol1")
        assert await at.server.disconnect("vol") == 0
        assert await first.ended() == b""
        second.send(wire.request(wire.FLUSH))
        assert await second.simple_reply() == (7, 0)


async def test_clients_that_left_are_waited_for_too(tmp_path: Path) -> None:
    """Their writes could land after the other side has taken over."""
    async with serving(tmp_path, gated()) as at:
        client = await under_way(at)
        (session,) = at.server._sessions
        client.abort()
        await until(lambda: session._connection.phase is Phase.LEAVING)
        leaving = asyncio.ensure_future(at.server.disconnect("vol"))
        await asyncio.sleep(0)
        assert not leaving.done()
        released(at.device)
        assert await leaving == 0


async def test_a_drain_that_runs_out_of_time_says_what_is_unfinished(tmp_path: Path) -> None:
    """The clients are gone then; the calls are not, and the caller is told."""
    async with serving(tmp_path, gated()) as at:
        client = await under_way(at)
        assert await at.server.disconnect("vol", drain_seconds=0.01) == 1
        assert await client.ended() == b""
        assert at.server.clients("vol") == 1
        released(at.device)
        await until(lambda: at.server.clients() == 0)


async def test_a_half_sent_write_does_not_hold_a_failover(tmp_path: Path) -> None:
    """A client that stops in the middle of a payload could take for ever."""
    async with serving(tmp_path) as at:
        client = await at.client()
        client.send(wire.request(wire.WRITE, 0, 500_000) + bytes(100_000))
        (session,) = at.server._sessions
        await until(lambda: session.requests_under_way == 1)
        assert await at.server.disconnect("vol") == 0
        assert await client.ended() == wire.simple(error=wire.ESHUTDOWN)


async def test_closing_ends_every_connection(tmp_path: Path) -> None:
    """Also those that have not chosen yet, and one that is just being accepted."""
    async with serving(tmp_path) as at:
        chosen, greeted = await at.client(), await at.client(name=None)
        assert await greeted.receive(18) == wire.GREETING
        connecting = asyncio.ensure_future(Client.connect(at.path))
        await asyncio.sleep(0)
        assert await at.server.close() == 0
        assert await chosen.ended() == b""
        assert await greeted.ended() == b""
        late = await connecting
        await late.ended()
        assert at.server.clients() == 0


async def test_too_many_clients_are_turned_away_at_the_door(tmp_path: Path) -> None:
    """A thousand connections do not cost a thousand buffers, and those inside notice nothing."""
    async with serving(tmp_path, clients_max=3) as at:
        inside = [await at.client() for _ in range(3)]
        for _ in range(100):
            outside = await at.client(name=None)
            assert await outside.ended() == b""
        inside[0].send(wire.request(wire.DISC))
        await inside[0].ended()
        await until(lambda: at.server.clients() == 2)
        await at.client()


async def test_a_dead_servers_socket_is_replaced(tmp_path: Path) -> None:
    """A killed process cannot remove its own."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "nbd"))
        dead.listen()
    assert (tmp_path / "nbd").exists()
    async with serving(tmp_path) as at:
        await at.client()


async def test_a_running_servers_socket_is_left_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        second = NbdServer(at.devices.get, list)
        with pytest.raises(OSError, match="a server is running on this socket"):
            await second.start(at.path)
        await second.close()
        await at.client()


async def test_a_second_server_may_take_the_place_of_a_closed_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await at.server.close()
        second = NbdServer(at.devices.get, lambda: list(at.devices))
        await second.start(at.path)
        await at.client()
        await second.close()
        assert not at.path.exists()


async def test_a_server_removes_no_other_servers_socket(tmp_path: Path) -> None:
    """Somebody removed the first one's file by hand and started a second server."""
    async with serving(tmp_path) as at:
        at.path.unlink()
        second = NbdServer(at.devices.get, lambda: list(at.devices))
        await second.start(at.path)
        await at.server.close()
        assert at.path.exists()
        await second.close()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_what_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    """A path given by mistake must not cost a file."""
    path = tmp_path / "nbd"
    match kind:
        case "file":
            path.write_text("precious")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(tmp_path / "elsewhere")
    before = path.lstat()
    with pytest.raises(OSError, match="a file that is no socket is in the way"):
        await NbdServer(nothing, list).start(path)
    assert path.lstat() == before


async def test_a_path_that_no_socket_can_have_is_named(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 120)
    with pytest.raises(OSError, match=r"at most 107 bytes: .*nnn"):
        await NbdServer(nothing, list).start(path)


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing/nbd"):
        await NbdServer(nothing, list).start(tmp_path / "missing" / "nbd")


async def test_limits_are_those_that_were_asked_for() -> None:
    """What the security plan says a client may have."""
    limits = SessionLimits()
    assert (limits.client.requests, limits.client.payload_bytes) == (64, 64 * 1024 * 1024)
    assert limits.handshake_seconds == 10
