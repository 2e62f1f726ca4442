"""One client on a real socket: order, ownership, limits, and every way to leave."""

import asyncio
import struct
from collections.abc import Awaitable
from pathlib import Path

import attrs
import pytest

from srshell.codec.checksum import Buffer
from srshell.export.device import DeviceError
from srshell.export.nbd_requests import ClientLimits
from srshell.export.nbd_session import SessionLimits
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice
from tests.unit.export.sockets import grown, serving, until


def gated() -> MemoryDevice:
    return MemoryDevice(gate=asyncio.Event())


def opened(device: MemoryDevice) -> None:
    assert device.gate is not None
    device.gate.set()


@attrs.define(eq=False)
class FutureDevice(MemoryDevice):
    """Answers writes with futures, as a device that is asked very often does."""

    futures: list[asyncio.Future[None]] = attrs.field(factory=list)

    def write(  # type: ignore[override]  # any awaitable will do
        self, offset: int, data: Buffer, fua: bool
    ) -> Awaitable[None]:
        self.calls.append(("write", offset, len(data), fua))
        future = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return future


async def test_every_command_reaches_the_device_with_its_flags(tmp_path: Path) -> None:
    """NO_HOLE forbids to give space back; CACHE reads."""
    async with serving(tmp_path) as at:
        client = await at.client()
        client.send(wire.write(4096, b"data", wire.FUA))
        client.send(wire.request(wire.FLUSH))
        client.send(wire.request(wire.TRIM, 0, 4096, wire.FUA))
        client.send(wire.request(wire.WRITE_ZEROES, 0, 512, wire.NO_HOLE))
        client.send(wire.request(wire.WRITE_ZEROES, 0, 512, wire.FUA | wire.FAST_ZERO))
        client.send(wire.request(wire.CACHE, 0, 8192))
        for _ in range(6):
            assert await client.simple_reply() == (7, 0)
        client.send(wire.request(wire.READ, 4096, 4))
        assert await client.receive(20) == wire.simple() + b"data"
    assert at.device.calls == [
        ("write", 4096, 4, True),
        ("flush",),
        ("trim", 0, 4096, True),
        ("zero", 0, 512, False, False),
        ("zero", 0, 512, True, True),
        ("read", 0, 8192),
        ("read", 4096, 4),
    ]


async def test_cache_reads_a_large_range_in_pieces(tmp_path: Path) -> None:
    """The whole range never lies in memory at once."""
    async with serving(tmp_path, MemoryDevice(size_bytes=3_000_000)) as at:
        client = await at.client()
        client.send(wire.request(wire.CACHE, 0, 3_000_000))
        assert await client.simple_reply() == (7, 0)
    mebibyte = 1024 * 1024
    assert at.device.calls == [
        ("read", 0, mebibyte),
        ("read", mebibyte, mebibyte),
        ("read", 2 * mebibyte, 3_000_000 - 2 * mebibyte),
    ]


async def test_writes_start_in_order_of_arrival(tmp_path: Path) -> None:
    """The last of overlapping writes wins, although all are under way together."""
    async with serving(tmp_path, gated()) as at:
        client = await at.client()
        client.send(b"".join(wire.write(0, bytes([n]) * 4096, cookie=n) for n in range(40)))
        await grown(at.device.calls, 40)
        assert [payload[0] for payload in at.device.payloads] == list(range(40))
        opened(at.device)
        assert [(await client.simple_reply())[0] for _ in range(40)] == list(range(40))
        assert at.device.data[:4096] == bytes([39]) * 4096


@pytest.mark.parametrize("length", [4096, 100_000])
async def test_payloads_are_not_changed_by_later_receives(tmp_path: Path, length: int) -> None:
    """A device may keep them for as long as it needs."""
    async with serving(tmp_path, gated()) as at:
        client = await at.client()
        for value in range(10):
            client.send(wire.write(0, bytes([value]) * length))
            await grown(at.device.payloads, value + 1)
        for value, payload in enumerate(at.device.payloads):
            assert payload == bytes([value]) * length
            assert memoryview(payload).readonly


async def test_an_answer_waits_for_the_device(tmp_path: Path) -> None:
    """FLUSH and FUA promise what the device has done, not what it was told."""
    async with serving(tmp_path, gated()) as at:
        client = await at.client()
        client.send(wire.request(wire.FLUSH, cookie=1) + wire.write(0, b"x", wire.FUA, cookie=2))
        await grown(at.device.calls, 2)
        (session,) = at.server._sessions
        assert session.requests_under_way == 2
        opened(at.device)
        assert {await client.simple_reply() for _ in range(2)} == {(1, 0), (2, 0)}
        assert not session._tasks


async def test_answers_may_overtake_each_other(tmp_path: Path) -> None:
    """A slow write does not hold a fast one."""
    device = FutureDevice()
    async with serving(tmp_path, device) as at:
        client = await at.client()
        client.send(b"".join(wire.write(0, b"x", cookie=each) for each in range(4)))
        await grown(device.futures, 4)
        for cookie in (3, 1, 0, 2):
            device.futures[cookie].set_result(None)
            assert await client.simple_reply() == (cookie, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeviceError("ENOSPC", "the pool is full"), wire.ENOSPC),
        (DeviceError("ESHUTDOWN"), wire.ESHUTDOWN),
        (asyncio.CancelledError(), wire.EIO),
    ],
)
async def test_an_error_of_the_device_is_told(
    tmp_path: Path, error: BaseException, code: int
) -> None:
    """And the next request is served."""
    device = FutureDevice()
    async with serving(tmp_path, device) as at:
        client = await at.client()
        for cookie in (1, 2):
            client.send(wire.write(0, b"x", cookie=cookie))
            await grown(device.futures, cookie)
        if isinstance(error, Exception):
            device.futures[0].set_exception(error)
        else:
            device.futures[0].cancel()
        assert await client.simple_reply() == (1, code)
        device.futures[1].set_result(None)
        assert await client.simple_reply() == (2, 0)


@attrs.define(eq=False)
class RefusingDevice(MemoryDevice):
    """Refuses a write before there is anything to wait for."""

    def write(  # type: ignore[override]  # any awaitable will do
        self, offset: int, data: Buffer, fua: bool
    ) -> Awaitable[None]:
        raise DeviceError("EROFS", "this side is secondary")


@attrs.define(eq=False)
class ExplainingDevice(FutureDevice):
    """Raises what it finds, and knows what that means."""

    def explain(self, error: BaseException) -> DeviceError | None:
        return DeviceError("ENOSPC", "no room") if isinstance(error, LookupError) else None


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyError("room"), wire.ENOSPC), (ValueError(), wire.EIO), (DeviceError("EROFS"), wire.EPERM)],
)
async def test_what_a_device_can_explain_is_told(
    tmp_path: Path, error: Exception, code: int
) -> None:
    device = ExplainingDevice()
    async with serving(tmp_path, device) as at:
        client = await at.client()
        client.send(wire.write(0, b"x"))
        await grown(device.futures, 1)
        device.futures[0].set_exception(error)
        assert await client.simple_reply() == (7, code)


async def test_a_refusal_without_waiting_is_told_too(tmp_path: Path) -> None:
    async with serving(tmp_path, RefusingDevice()) as at:
        client = await at.client(structured=True)
        client.send(wire.write(0, b"x"))
        (reply,) = wire.parse_replies(await client.receive(26 + 22))
        assert (reply.error, reply.data[6:]) == (wire.EPERM, b"this side is secondary")


async def test_what_is_allocated_is_asked_of_the_device(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        client = await at.client(name=None)
        await client.receive(18)
        client.send(wire.client_flags() + wire.option(wire.OPT_STRUCTURED_REPLY))
        client.send(wire.meta(wire.OPT_SET_META, "vol", "base:allocation") + wire.go("vol"))
        while (await client.option_reply()).option != wire.OPT_GO:
            pass
        while (await client.option_reply()).kind != wire.REP_ACK:
            pass
        client.send(wire.write(4096, b"x") + wire.request(wire.FLUSH))
        for _ in range(2):
            assert await client.simple_reply() == (7, 0)
        client.send(wire.request(wire.BLOCK_STATUS, 0, 12288))
        (reply,) = wire.parse_replies(await client.receive(20 + 4 + 3 * 8))
        assert reply.data == struct.pack(">7I", 1, 4096, 3, 4096, 0, 4096, 3)


async def test_a_fault_in_the_device_is_an_io_error_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The client learns that it failed; the log learns why."""
    async with serving(tmp_path, MemoryDevice(error=KeyError("oops"))) as at:
        client = await at.client(structured=True)
        client.send(wire.request(wire.READ, 0, 512))
        (reply,) = wire.parse_replies(await client.receive(26))
        assert reply.error == wire.EIO
    assert "oops" in caplog.text


async def test_a_read_of_the_wrong_length_does_not_break_the_stream(tmp_path: Path) -> None:
    """It would shift everything that follows."""
    device = MemoryDevice()
    device.data = bytearray(100)
    async with serving(tmp_path, device) as at:
        client = await at.client()
        client.send(wire.request(wire.READ, 0, 512, cookie=1))
        assert await client.simple_reply() == (1, wire.EIO)
        client.send(wire.request(wire.READ, 0, 100, cookie=2))
        assert await client.receive(116) == wire.simple(2) + bytes(100)


@pytest.mark.parametrize("limit", [1, 4])
async def test_a_client_with_its_limit_under_way_is_not_read_from(
    tmp_path: Path, limit: int
) -> None:
    """What it sends beyond waits in its own socket; nothing is lost."""
    limits = SessionLimits(client=ClientLimits(requests=limit))
    async with serving(tmp_path, gated(), limits=limits) as at:
        client = await at.client()
        client.send(b"".join(wire.write(0, bytes(50_000), cookie=n) for n in range(40)))
        await grown(at.device.calls, limit)
        (session,) = at.server._sessions
        await until(lambda: not session._reading)
        opened(at.device)
        assert [(await client.simple_reply())[0] for _ in range(40)] == list(range(40))
        assert session._reading


@attrs.define(eq=False)
class ImmediateDevice(MemoryDevice):
    """Has the answer to a read before it returns."""

    def read(  # type: ignore[override]  # any awaitable will do
        self, offset: int, length: int
    ) -> Awaitable[Buffer]:
        self.calls.append(("read", offset, length))
        future: asyncio.Future[Buffer] = asyncio.get_running_loop().create_future()
        future.set_result(bytes(length))
        return future


@pytest.mark.parametrize("kind", [MemoryDevice, ImmediateDevice])
async def test_a_client_that_takes_no_answers_is_not_served_further(
    tmp_path: Path, kind: type[MemoryDevice]
) -> None:
    """Its answers would fill our memory; when it takes them, it is served again."""
    async with serving(tmp_path, kind()) as at:
        client = await at.client()
        client.reader._limit = 1  # type: ignore[attr-defined]  # the client's own buffer
        count = 200
        client.send(b"".join(wire.request(wire.READ, 0, 1_000_000) for _ in range(count)))
        (session,) = at.server._sessions
        await until(lambda: not session._writable)
        assert len(at.device.calls) < count
        assert not session._reading
        for _ in range(count):
            assert await client.receive(16) == wire.simple()
            assert await client.receive(1_000_000) == bytes(1_000_000)
        assert session._reading


async def test_disconnect_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """Its answers are the last thing that the client hears."""
    async with serving(tmp_path, gated()) as at:
        client = await at.client()
        client.send(wire.write(0, b"x", cookie=3) + wire.request(wire.DISC))
        await grown(at.device.calls, 1)
        opened(at.device)
        assert await client.ended() == wire.simple(cookie=3)


async def test_the_end_of_input_counts_as_a_disconnect(tmp_path: Path) -> None:
    async with serving(tmp_path, gated()) as at:
        client = await at.client()
        client.send(wire.write(0, b"x", cookie=3))
        client.writer.write_eof()
        await grown(at.device.calls, 1)
        opened(at.device)
        assert await client.ended() == wire.simple(cookie=3)


async def test_a_vanished_client_leaves_its_calls_to_end(tmp_path: Path) -> None:
    """A call is never cancelled: the write happens, and its session ends after it."""
    async with serving(tmp_path, gated()) as at:
        client = await at.client()
        client.send(wire.write(0, b"kept") + wire.request(wire.WRITE, 0, 1_000_000))
        await grown(at.device.calls, 1)
        (session,) = at.server._sessions
        client.abort()
        await until(lambda: session._lost)
        assert not session.ended.done()
        opened(at.device)
        await session.ended
        assert at.device.data[:4] == b"kept"
        assert at.server.clients() == 0


async def test_a_broken_connection_forgets_a_half_sent_write(tmp_path: Path) -> None:
    """Its end does not wait for bytes that cannot come any more."""
    async with serving(tmp_path) as at:
        client = await at.client()
        client.send(wire.request(wire.WRITE, 0, 1_000_000) + bytes(70_000))
        (session,) = at.server._sessions
        await until(lambda: session.requests_under_way == 1)
        session.abort()
        await session.ended
        assert at.device.calls == []


async def test_what_is_no_request_ends_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        client = await at.client()
        client.send(bytes(28))
        assert await client.ended() == b""
        assert await (await at.client()).reader.read(0) == b""


async def test_a_handshake_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A client that connects and says nothing costs nothing for long."""
    limits = SessionLimits(handshake_seconds=0.01)
    async with serving(tmp_path, limits=limits) as at:
        client = await at.client(name=None)
        assert await client.ended() == wire.GREETING
        chosen = await at.client()
        chosen.send(wire.request(wire.FLUSH))
        assert await chosen.simple_reply() == (7, 0)
        (session,) = at.server._sessions
        assert session._timer is None


async def test_answers_that_nobody_takes_do_not_keep_a_connection(tmp_path: Path) -> None:
    """A client that says goodbye and stops reading is waited for, but not for ever."""
    limits = SessionLimits(farewell_seconds=0.01)
    async with serving(tmp_path, limits=limits) as at:
        client = await at.client()
        client.reader._limit = 1  # type: ignore[attr-defined]  # the client's own buffer
        client.send(wire.request(wire.READ, 0, 1_000_000) * 3 + wire.request(wire.DISC))
        await until(lambda: at.server.clients() == 0)
