"""Clients of a block device that do their worst: the others are served, memory is bounded.

A real server on a real socket; its devices are in memory and can be held.
"""

from __future__ import annotations

import asyncio
import resource
import struct
from pathlib import Path
from typing import Final

import pytest

from srshell.export.device import DeviceError
from srshell.export.nbd_requests import ClientLimits
from srshell.export.nbd_session import SessionLimits
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice
from tests.unit.export.sockets import Client, Serving, serving, until

_QUICK: Final = SessionLimits(handshake_seconds=0.05, farewell_seconds=0.05)
_FEW: Final = SessionLimits(client=ClientLimits(requests=4, payload_bytes=256 * 1024))
_FAR: Final = 2**64 - 1
_MIB: Final = 1024 * 1024


async def works(at: Serving) -> None:
    """Somebody else connects, writes and reads."""
    client = await at.client()
    client.send(wire.write(0, b"works", cookie=1) + wire.request(wire.READ, 0, 5, cookie=2))
    assert await client.simple_reply() == (1, 0)
    assert await client.receive(16 + 5) == wire.simple(2) + b"works"
    client.abort()


#: How a client can waste time before it has chosen anything.
SLOW: Final = {
    "silence": b"",
    "half of the flags": b"\0\0",
    "the flags alone": wire.client_flags(),
    "half of an option": wire.client_flags() + b"IHAVE",
    "an option without its data": wire.client_flags() + b"IHAVEOPT" + struct.pack(">II", 7, 4096),
    "an option of 32 MiB": wire.client_flags() + b"IHAVEOPT" + struct.pack(">II", 3, 32 * _MIB),
    "options without end": wire.client_flags() + wire.option(wire.OPT_LIST) * 50,
    "names that there are none of": wire.client_flags() + wire.go("no") * 50,
}


@pytest.mark.parametrize("slow", SLOW)
async def test_a_handshake_ends_in_time_whatever_comes(tmp_path: Path, slow: str) -> None:
    """Ten seconds by default; here fifty milliseconds."""
    async with serving(tmp_path, limits=_QUICK) as at:
        client = await at.client(name=None)
        client.send(SLOW[slow])
        await client.ended()
        await until(lambda: at.server.clients() == 0)
        await works(at)


def test_the_limit_of_a_handshake_is_ten_seconds() -> None:
    assert SessionLimits().handshake_seconds == 10.0
    assert (ClientLimits().requests, ClientLimits().payload_bytes) == (64, 64 * _MIB)


async def test_drops_of_a_handshake_do_not_wind_up_its_clock(tmp_path: Path) -> None:
    """One byte now and then is as slow as none."""
    async with serving(tmp_path, limits=_QUICK) as at:
        client = await at.client(name=None)
        ending = asyncio.ensure_future(client.ended())
        while not ending.done():
            client.send(b"\0")
            await asyncio.sleep(0)
        assert at.server.clients() == 0


#: What ends a connection: after it nobody could say where the next message begins.
BROKEN: Final = {
    "flags that were not offered": wire.client_flags(0xFFFFFFFF),
    "no flags but noise": b"\xaa" * 64,
    "a web browser": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an option of 4 GiB": wire.client_flags() + b"IHAVEOPT" + struct.pack(">II", 7, 2**32 - 1),
    "an export name of 4 GiB": wire.client_flags() + b"IHAVEOPT" + struct.pack(">II", 1, 2**32 - 1),
    "an export name of 5000": wire.client_flags() + wire.option(1, b"a" * 5000),
    "an export that there is not": wire.client_flags() + wire.option(1, b"no"),
    "an export name with a NUL": wire.client_flags() + wire.option(1, b"vol\0"),
    "an export name that is not UTF-8": wire.client_flags() + wire.option(1, b"\xff\xfe"),
    "an option with another magic": wire.client_flags() + b"IHAVENOT" + bytes(8),
    "encryption that is not there": wire.client_flags() + wire.option(5) + b"\x16\x03\x01" * 20,
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_handshake_ends_at_once(tmp_path: Path, broken: str) -> None:
    async with serving(tmp_path) as at:
        client = await at.client(name=None)
        client.send(BROKEN[broken])
        await client.ended()
        await works(at)


#: Requests that must never reach the device, and how they are refused.
REFUSED: Final = {
    "a read of 4 GiB": (wire.request(wire.READ, 0, 2**32 - 1), wire.EINVAL),
    "a read of 32 MiB and a byte": (wire.request(wire.READ, 0, 32 * _MIB + 1), wire.EINVAL),
    "a read of nothing": (wire.request(wire.READ, 0, 0), wire.EINVAL),
    "a read beyond the end": (wire.request(wire.READ, _MIB, 1), wire.EINVAL),
    "a read across the end": (wire.request(wire.READ, _MIB - 1, 2), wire.EINVAL),
    "a read that overflows": (wire.request(wire.READ, _FAR, 4096), wire.EINVAL),
    "a read that overflows to the start": (wire.request(wire.READ, _FAR - 1, 2), wire.EINVAL),
    "a negative offset": (wire.request(wire.READ, 2**63, 1), wire.EINVAL),
    "a write beyond the end": (wire.write(_MIB, b"x"), wire.ENOSPC),
    "a write that overflows": (wire.write(_FAR, b"x" * 512), wire.ENOSPC),
    "a trim of everything": (wire.request(wire.TRIM, 0, 2**32 - 1), wire.EINVAL),
    "a trim that overflows": (wire.request(wire.TRIM, _FAR, 2**32 - 1), wire.EINVAL),
    "zeros that overflow": (wire.request(wire.WRITE_ZEROES, _FAR, 512), wire.ENOSPC),
    "a cache of everything": (wire.request(wire.CACHE, 0, 2**32 - 1), wire.EINVAL),
    "a status unasked": (wire.request(wire.BLOCK_STATUS, 0, 4096), wire.EINVAL),
    "a flush with a range": (wire.request(wire.FLUSH, 0, 4096), wire.EINVAL),
    "a command of the future": (wire.request(99, 0, 512), wire.EINVAL),
    "the last command there is": (wire.request(65_535, 0, 512), wire.EINVAL),
    "all flags": (wire.request(wire.READ, 0, 512, 0xFFFF), wire.EINVAL),
    "a payload length": (wire.request(wire.READ, 0, 512, wire.PAYLOAD_LEN), wire.EINVAL),
}


@pytest.mark.parametrize("refused", REFUSED)
async def test_a_request_outside_the_rules_is_refused_and_the_next_one_is_served(
    tmp_path: Path, refused: str
) -> None:
    """The device hears of none of them."""
    request, error = REFUSED[refused]
    async with serving(tmp_path) as at:
        client = await at.client()
        client.send(request + wire.request(wire.FLUSH, cookie=9))
        assert await client.simple_reply() == (7, error)
        assert await client.simple_reply() == (9, 0)
        assert at.device.calls == [("flush",)]


@pytest.mark.parametrize("command", [wire.WRITE, wire.TRIM, wire.WRITE_ZEROES])
async def test_a_read_only_export_stays_as_it_is(tmp_path: Path, command: int) -> None:
    """Refused below the protocol's announcements: a client may ignore those."""
    async with serving(tmp_path, MemoryDevice(read_only=True)) as at:
        client = await at.client()
        data = bytes(512) if command == wire.WRITE else b""
        client.send(wire.request(command, 0, 512, data=data))
        assert await client.simple_reply() == (7, wire.EPERM)
        assert at.device.calls == []


@pytest.mark.parametrize("length", [33 * _MIB, 2**32 - 1])
async def test_a_write_that_is_too_long_takes_no_memory(tmp_path: Path, length: int) -> None:
    """Its payload is stepped over as it comes; it is never kept."""
    async with serving(tmp_path) as at:
        client = await at.client()
        client.send(wire.request(wire.WRITE, 0, length))
        assert await client.simple_reply() == (7, wire.EINVAL)
        client.send(bytes(_MIB))
        client.abort()
        await until(lambda: at.server.clients() == 0)
        await works(at)


async def test_no_more_requests_are_under_way_than_the_limit(tmp_path: Path) -> None:
    """What else was sent waits in the client's own socket."""
    async with serving(tmp_path, MemoryDevice(gate=asyncio.Event()), limits=_FEW) as at:
        client = await at.client()
        client.send(b"".join(wire.request(wire.READ, 0, 512, cookie=n) for n in range(100)))
        await until(lambda: len(at.device.calls) == 4)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(at.device.calls) == 4
        assert at.device.gate is not None
        at.device.gate.set()
        cookies = [(await client.receive(16 + 512))[8:16] for _ in range(100)]
        assert [int.from_bytes(cookie, "big") for cookie in cookies] == list(range(100))


async def test_no_more_bytes_are_under_way_than_the_limit(tmp_path: Path) -> None:
    """Four reads of 100 KiB would be more than 256 KiB; so would four writes."""
    async with serving(tmp_path, MemoryDevice(gate=asyncio.Event()), limits=_FEW) as at:
        reader, writer = await at.client(), await at.client()
        reader.send(b"".join(wire.request(wire.READ, 0, 100 * 1024) for _ in range(8)))
        writer.send(b"".join(wire.write(0, bytes(100 * 1024)) for _ in range(8)))
        await until(lambda: len(at.device.calls) == 4)
        for _ in range(50):
            await asyncio.sleep(0)
        assert sorted(call[0] for call in at.device.calls) == ["read"] * 2 + ["write"] * 2


async def test_a_client_that_never_reads_is_not_served_further(tmp_path: Path) -> None:
    """It asks for a hundred times what its socket and the server keep for it."""
    async with serving(tmp_path, MemoryDevice(size_bytes=4 * _MIB)) as at:
        client = await at.client()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"".join(wire.request(wire.READ, 0, 4 * _MIB) for _ in range(200)))
        await until(lambda: len(at.device.calls) >= 2)
        await works(at)
        assert len(at.device.calls) < 20
        client.abort()


async def test_a_client_that_never_reads_cannot_hold_an_export(tmp_path: Path) -> None:
    """Its answers are dropped after the farewell."""
    async with serving(tmp_path, MemoryDevice(size_bytes=4 * _MIB), limits=_QUICK) as at:
        client = await at.client()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"".join(wire.request(wire.READ, 0, 4 * _MIB) for _ in range(20)))
        await until(lambda: len(at.device.calls) >= 1)
        assert await at.server.disconnect("vol") == 0
        assert at.server.clients() == 0


async def test_a_thousand_connections_leave_room_for_those_who_are_served(tmp_path: Path) -> None:
    """Those above the limit are closed before they cost anything; an old client works on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    async with serving(tmp_path, clients_max=64) as at:
        old = await at.client()
        crowd = [await Client.connect(at.path) for _ in range(1000)]
        await until(lambda: at.server.clients() == 64)
        old.send(wire.write(0, b"still here"))
        assert await old.simple_reply() == (7, 0)
        for client in crowd:
            client.abort()
        await until(lambda: at.server.clients() == 1)
        await works(at)


async def test_a_crowd_of_silent_clients_is_gone_after_the_handshake(tmp_path: Path) -> None:
    """A full server has room again by itself."""
    async with serving(tmp_path, clients_max=16, limits=_QUICK) as at:
        crowd = [await at.client(name=None) for _ in range(16)]
        for client in crowd:
            await client.ended()
        await until(lambda: at.server.clients() == 0)
        await works(at)


@pytest.mark.parametrize("text", ["\x1b[2J", "a" * 100_000, "\ud800", "ö" * 3000, ""])
async def test_the_text_of_an_error_fits_its_answer(tmp_path: Path, text: str) -> None:
    """Strings of the protocol have at most 4096 bytes, and are UTF-8."""
    async with serving(tmp_path, MemoryDevice(error=DeviceError("EIO", text))) as at:
        client = await at.client(structured=True)
        client.send(wire.request(wire.READ, 0, 512))
        head = await client.receive(20)
        (length,) = struct.unpack_from(">I", head, 16)
        content = await client.receive(length)
        (text_bytes,) = struct.unpack_from(">H", content, 4)
        assert length == 6 + text_bytes <= 4096
        content[6:].decode()
