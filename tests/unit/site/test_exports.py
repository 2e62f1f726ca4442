"""Clients of a volume come and go with its role."""

import asyncio
import errno

import pytest

from srshell.model.errors import SrError
from srshell.site.devices import ExportedVolume
from srshell.site.exports import nbd_uri
from srshell.site.host import Site
from srshell.storage import StorageError
from srshell.storage.os_disk import OsHandle
from tests.unit.export import wire
from tests.unit.export.sockets import Client
from tests.unit.site.hosting import PARTNERSHIP, Fabric


async def _client(site: Site, name: str) -> Client:
    client = await Client.connect(site.settings.nbd_socket)
    await client.choose(name)
    return client


async def _refused(site: Site, name: str) -> bool:
    client = await Client.connect(site.settings.nbd_socket)
    assert await client.receive(18) == wire.GREETING
    client.send(wire.client_flags() + wire.go(name))
    reply = await client.option_reply()
    client.close()
    return bool(reply.kind & 0x80000000)


async def _write(client: Client, offset: int, data: bytes) -> int:
    client.send(wire.write(offset, data))
    _, error = await client.simple_reply()
    return error


def test_an_address_is_what_clients_write(fabric: Fabric) -> None:
    """Socket paths may hold any character."""
    path = fabric.place / "a b&c"
    assert nbd_uri(path, "vol") == f"nbd+unix:///vol?socket={fabric.place}/a%20b%26c"


async def test_a_plain_volume_is_served_and_served_no_more(fabric: Fabric) -> None:
    """Writes of clients and of the owner are the same writes."""
    site = await fabric.with_volumes()
    export = await site.export("volA")
    assert (export.read_only, export.serving) == (False, True)
    assert export.uri.endswith(f"/volA?socket={site.settings.nbd_socket}")
    client = await _client(site, "volA")
    assert await _write(client, 4096, b"x" * 4096) == 0
    assert await site.read("volA", 4096, 4096) == b"x" * 4096
    with pytest.raises(SrError, match="SR2014"):
        await site.delete_volume("volA")
    await site.unexport("volA")
    assert await client.ended() == b""
    assert await _refused(site, "volA")
    await site.delete_volume("volA")


async def test_what_is_not_exported_is_not_served(fabric: Fabric) -> None:
    """And a log never is."""
    site = await fabric.with_volumes()
    assert await _refused(site, "volA")
    with pytest.raises(SrError, match="SR3008"):
        await site.export("logA")
    with pytest.raises(SrError, match="SR0105"):
        await site.export("other")


async def test_exports_are_served_again_after_a_restart(fabric: Fabric) -> None:
    """Clients reconnect by themselves; nobody should have to export again."""
    site = await fabric.with_volumes()
    await site.export("volA")
    site = await fabric.reopen()
    assert (await site.describe()).exports == ("volA",)
    client = await _client(site, "volA")
    assert await _write(client, 0, b"x" * 512) == 0
    client.close()


async def test_clients_follow_the_primary_through_a_failover(fabric: Fabric) -> None:
    """What is under way is answered, then they are disconnected and find the other side."""
    a, b = await fabric.in_sync()
    assert (await a.export("volA")).serving
    assert not (await b.export("volB")).serving
    assert await _refused(b, "volB")
    client = await _client(a, "volA")
    assert await _write(client, 0, b"y" * 4096) == 0
    lsn = await a.seal(PARTNERSHIP, "operation")
    await a.demote(PARTNERSHIP, "operation", 2)
    assert await client.ended() == b""
    assert await _refused(a, "volA")
    await b.promote(PARTNERSHIP, "operation", lsn, alone=False)
    other = await _client(b, "volB")
    other.send(wire.request(wire.READ, 0, 4096))
    assert await other.simple_reply() == (7, 0)
    assert await other.receive(4096) == b"y" * 4096
    other.close()


async def test_clients_of_a_volume_stay_while_it_comes_under_protection(fabric: Fabric) -> None:
    """Protection is enabled under a running machine."""
    a = await fabric.with_volumes("A")
    await a.export("volA")
    client = await _client(a, "volA")
    assert await _write(client, 0, b"1" * 512) == 0
    await a.create_replica(fabric.spec("A", "B"))
    assert await _write(client, 512, b"2" * 512) == 0
    assert await a.read("volA", 0, 1024) == b"1" * 512 + b"2" * 512
    assert (await a.replica(PARTNERSHIP)).writes_total == 1
    client.close()


@pytest.mark.parametrize("replicated", [False, True])
async def test_every_request_of_a_client_is_carried_out(fabric: Fabric, replicated: bool) -> None:
    """Flush, trim, zeros with and without space, and what is allocated."""
    site = (await fabric.in_sync())[0] if replicated else await fabric.with_volumes("A")
    await site.export("volA")
    client = await _client(site, "volA")
    assert await _write(client, 0, b"x" * 16384) == 0
    for command, offset, flags in (
        (wire.FLUSH, 0, 0),
        (wire.TRIM, 4096, 0),
        (wire.WRITE_ZEROES, 8192, 0),
        (wire.WRITE_ZEROES, 12288, wire.NO_HOLE | wire.FUA),
    ):
        client.send(wire.request(command, offset, 0 if command == wire.FLUSH else 4096, flags))
        assert await client.simple_reply() == (7, 0)
    assert await site.read("volA", 0, 16384) == b"x" * 4096 + bytes(12288)
    client.close()


async def test_what_arrives_together_is_done_in_order(fabric: Fabric) -> None:
    """Also if some of it is trimmed."""
    site = (await fabric.in_sync())[0]
    await site.export("volA")
    client = await _client(site, "volA")
    trim = wire.request(wire.TRIM, 0, 8192)
    zero = wire.request(wire.WRITE_ZEROES, 4096, 4096)
    old, new = wire.write(0, b"old" * 4096), wire.write(0, b"new")
    client.send(old + trim + new + wire.write(4096, b"late") + zero)
    assert [await client.simple_reply() for _ in range(5)] == [(7, 0)] * 5
    data = await site.read("volA", 0, 12288)
    assert data == b"new" + bytes(8189) + (b"old" * 4096)[8192:]
    client.close()


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (SrError.make("SR9224", volume="v", reason="r"), "EPERM"),
        (SrError.make("SR9220", operation="write", file="f"), "EIO"),
        (StorageError("write", "f", "ENOSPC"), "ENOSPC"),
        (StorageError("read", "f", "SHORT_READ"), "EIO"),
        (ValueError(), None),
    ],
)
async def test_errors_of_volumes_have_numbers(
    fabric: Fabric, error: Exception, name: str | None
) -> None:
    site = await fabric.with_volumes("A")
    told = ExportedVolume(site._store.volume("volA"), read_only=False).explain(error)
    assert (told and told.errno_name) == name


async def test_errors_reach_clients_as_numbers(fabric: Fabric) -> None:
    """EIO for a disk that failed."""
    a = await fabric.with_volumes("A")
    await a.export("volA")
    client = await _client(a, "volA")
    (fabric.place / "PoolA" / "volA").unlink()
    assert await _write(client, 0, b"x" * 512) == 5
    client.close()


@pytest.mark.parametrize("replicated", [False, True])
@pytest.mark.parametrize("in_memory", [False, True])
async def test_a_read_shows_what_was_written_wherever_it_is_found(
    fabric: Fabric, replicated: bool, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once if it is in memory, through the threads of the disk if not, or if it is much."""

    def cached(handle: OsHandle, length: int, offset: int) -> bytearray | None:
        return bytearray(handle.pread(length, offset)) if in_memory else None

    monkeypatch.setattr(OsHandle, "pread_cached", cached)
    site = (await fabric.in_sync())[0] if replicated else await fabric.with_volumes("A")
    await site.export("volA")
    client = await _client(site, "volA")
    data = bytes(range(256)) * 2048
    assert await _read(client, 0, 512) == (0, bytes(512))
    assert await _write(client, 4096, data) == 0
    for offset, length in ((4096, 512), (4095, 2), (4096, len(data)), (0, 300 * 1024)):
        expected = (bytes(4096) + data)[offset : offset + length]
        assert await _read(client, offset, length) == (0, expected)
    client.close()


async def test_a_disk_that_cannot_be_read_is_told_and_fails_the_replica(
    fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client hears EIO; a second read is not tried."""

    def broken(_handle: OsHandle, _length: int, _offset: int) -> bytearray | None:
        raise OSError(errno.EIO, "unreadable")

    site = (await fabric.in_sync())[0]
    await site.export("volA")
    client = await _client(site, "volA")
    monkeypatch.setattr(OsHandle, "pread_cached", broken)
    assert await _read(client, 0, 512) == (errno.EIO, b"")
    assert "EIO" in (await site.replica(PARTNERSHIP)).failure
    client.close()


async def _read(client: Client, offset: int, length: int) -> tuple[int, bytes]:
    client.send(wire.request(wire.READ, offset, length))
    _, error = await client.simple_reply()
    return error, b"" if error else await client.receive(length)


async def test_what_waited_when_the_role_ended_is_not_answered(fabric: Fabric) -> None:
    """Who reconnects sends it again, to the new primary; an error would be the guest's."""
    a, b = await fabric.in_sync()
    await a.export("volA")
    client = await _client(a, "volA")
    assert await _write(client, 0, b"y" * 4096) == 0
    lsn = await a.seal(PARTNERSHIP, "operation")
    for number in range(3):
        client.send(wire.write(4096 * number, b"z" * 4096))
    await a.demote(PARTNERSHIP, "operation", 2)
    await b.promote(PARTNERSHIP, "operation", lsn, alone=False)
    assert await client.ended() == b""
    assert await b.read("volB", 0, 8192) == (b"y" * 4096).ljust(8192, b"\0")


async def test_a_secondary_is_shown_to_those_who_only_read(fabric: Fabric) -> None:
    """What is committed is seen at once; when it becomes primary, they have to come again."""
    a, b = await fabric.in_sync()
    shown = await b.export("volB", read_only=True)
    assert (shown.serving, shown.read_only) == (True, True)
    await a.export("volA")
    writer = await _client(a, "volA")
    assert await _write(writer, 0, b"y" * 4096) == 0
    reader = await _client(b, "volB")
    assert await _write(reader, 0, b"z" * 512) == 1  # EPERM

    async def seen() -> bool:
        return await _read(reader, 0, 4096) == (0, b"y" * 4096)

    while not await seen():  # the notice of the commit may travel with the next frame
        pass
    lsn = await a.seal(PARTNERSHIP, "operation")
    await a.demote(PARTNERSHIP, "operation", 2)
    await b.promote(PARTNERSHIP, "operation", lsn, alone=False)
    assert await writer.ended() == b""
    assert await reader.ended() == b""
    again = await _client(b, "volB")
    assert await _write(again, 0, b"z" * 512) == 1  # still read-only
    again.close()
    writable = await b.export("volB")
    assert not writable.read_only
    last = await _client(b, "volB")
    assert await _write(last, 0, b"z" * 512) == 0
    last.close()


async def test_a_secondary_that_is_no_whole_copy_is_not_shown(fabric: Fabric) -> None:
    """Blocks of different moments side by side are nothing to look at."""
    b = await fabric.with_volumes("B")
    await b.create_replica(fabric.spec("B", "A"))
    shown = await b.export("volB", read_only=True)
    assert not shown.serving
    assert await _refused(b, "volB")


async def test_what_the_other_side_lacks_is_told(fabric: Fabric) -> None:
    """Nothing while both hold the same; what one was not there for, until it is back."""
    a, _ = await fabric.in_sync()
    volume = a._store.volume("volA")
    size = volume.facts.size_bytes
    assert [flags for _, flags in await volume.dirty_ranges(0, size)] == [0]
    await a.suspend(PARTNERSHIP)
    await a.write("volA", 8192, b"x" * 4096)
    assert await volume.dirty_ranges(0, size) == [(8192, 0), (4096, 1), (size - 12288, 0)]
    assert await volume.dirty_ranges(9000, 100) == [(100, 1)]
    await a.resume(PARTNERSHIP)

    while await volume.dirty_ranges(0, size) != [(size, 0)]:  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(0)
