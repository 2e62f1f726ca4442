"""A site and its owner talk over a real socket."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.site import rpc
from srshell.site.api import FaultKind
from srshell.site.client import SiteClient
from srshell.site.host import Site
from srshell.site.server import SiteServer
from tests import needs
from tests.unit.site.hosting import IDENTITY, MIB, PARTNERSHIP, Fabric, log, until, volume


@attrs.define(eq=False)
class Served:
    """A site behind its socket."""

    site: Site
    server: SiteServer
    path: Path
    clients: list[SiteClient] = attrs.field(factory=list)

    def client(
        self, *, term: int | None = 1, fabric: str = IDENTITY, array: str = "A"
    ) -> SiteClient:
        """Return a client that has not connected yet."""
        client = SiteClient(array, self.path, fabric=fabric, owner_term=term, silence_seconds=0.2)
        self.clients.append(client)
        return client


@pytest.fixture
async def served(fabric: Fabric) -> AsyncIterator[Served]:
    site = await fabric.with_volumes()
    server = SiteServer(site)
    served = Served(site, server, site.settings.rpc_socket)
    await server.start(served.path)
    yield served
    for client in served.clients:
        await client.close()
    await site.close()
    await served.server.close()


async def test_an_owner_uses_a_site_as_if_it_were_its_own(served: Served, fabric: Fabric) -> None:
    """Every kind of argument and result crosses the socket."""
    client = served.client()
    report = await client.describe()
    assert [pool.kind for pool in report.pools] == [PoolKind.FILE]
    assert {volume.name for volume in report.volumes} == {"volA", "logA"}
    await client.write("volA", 4096, b"x" * MIB)
    assert await client.read("volA", 4096, MIB) == b"x" * MIB
    await client.trim("volA", 0, 8 * MIB)
    await client.flush("volA")
    assert await client.blank("volA")
    made = await client.create_volume(volume("second"))
    assert await client.attach_volume(volume("second")) == made
    await client.delete_volume("second")
    made_replica = await client.create_replica(fabric.spec("A", "B"))
    assert (await client.open_replica(made_replica.log_path)).group == "groupA"
    assert (await client.replica(PARTNERSHIP)).partnership == PARTNERSHIP
    assert (await client.start_replica(PARTNERSHIP)).started
    assert (await client.export("volA")).volume == "volA"
    await client.unexport("volA")
    assert await client.dismantle_replica(PARTNERSHIP) == 0
    assert (await client.inspect(str(fabric.place))).kind is PoolKind.FILE
    assert (await client.add_pool(fabric.pool("A", "Other"))).name == "Other"
    await client.remove_pool("Other")
    assert (await client.rescan()).problems == ()
    assert (await client.greet(IDENTITY, 2)).owner_term == 2
    assert await client.events(0, 0.0) == await served.site.events(0, 0.0)


async def test_a_refusal_arrives_as_it_was_raised(served: Served) -> None:
    """Code, facts and mend: a person reads it at the other end."""
    client = served.client()
    with pytest.raises(SrError) as here:
        await served.site.create_volume(log(size_bytes=4095))
    with pytest.raises(SrError) as there:
        await client.create_volume(log(size_bytes=4095))
    assert here.value.facts
    assert there.value == here.value
    with pytest.raises(SrError, match="SR9901"):
        await client.fault(FaultKind.LINK_DOWN, 1.0)


async def test_calls_are_carried_out_side_by_side(served: Served) -> None:
    """A call that waits must not stop the others."""
    client = served.client()
    waiting = asyncio.create_task(client.events((await client.describe()).last_event, 60.0))
    await asyncio.gather(*(client.write("volA", n * 4096, b"x" * 4096) for n in range(100)))
    assert not waiting.done()
    await client.export("volA")
    assert [event.kind for event in await waiting] == ["export"]


async def test_a_call_may_take_long_while_the_site_answers_pings(served: Served) -> None:
    """Verifying a terabyte takes longer than anybody's patience with silence."""
    client = served.client()
    after = (await client.describe()).last_event
    assert await client.events(after, 3 * client.silence_seconds) == ()


async def test_a_lower_term_is_refused_and_the_old_owner_ends(served: Served) -> None:
    """Two owners would give contradicting orders."""
    old, new = served.client(term=1), served.client(term=2)
    await old.create_volume(volume("first"))
    await new.ping()
    with pytest.raises(SrError, match="SR9007"):
        await old.create_volume(volume("second"))
    assert (await old.describe()).owner_term == 2
    with pytest.raises(SrError, match="SR9007"):
        await served.client(term=1).ping()
    with pytest.raises(SrError, match="SR1001"):
        await served.client(fabric="e" * 32, term=9).ping()


async def test_who_has_not_greeted_may_look_and_use_volumes(served: Served) -> None:
    """As a machine does, which outlives owners."""
    guest = served.client(term=None)
    await served.client(term=5).ping()
    assert (await guest.describe()).owner_term == 5
    await guest.write("volA", 0, b"x")
    assert await guest.read("volA", 0, 1) == b"x"
    for call in (guest.create_volume(volume()), guest.export("volA"), guest.seal("a" * 32, "x")):
        with pytest.raises(SrError, match="SR9007"):
            await call


async def test_another_array_is_not_mistaken_for_ours(served: Served) -> None:
    """Sockets are files, and files can be moved."""
    with pytest.raises(SrError, match="SR1105"):
        await served.client(array="B").describe()


async def test_a_client_connects_again_after_the_site_was_restarted(served: Served) -> None:
    """The next call finds the new process."""
    client = served.client()
    await client.describe()
    await served.server.close()
    with pytest.raises(SrError, match="SR9301"):
        await client.describe()
    served.server = SiteServer(served.site)
    await served.server.start(served.path)
    await client.describe()
    assert client.connected


async def test_the_socket_is_for_its_user_alone(served: Served) -> None:
    """In a directory that nobody else can enter."""
    assert served.path.stat().st_mode & 0o777 == 0o600
    assert served.path.parent.stat().st_mode & 0o777 == 0o700


@needs.root()
async def test_another_user_is_refused_even_if_he_gets_that_far(
    served: Served, fabric: Fabric
) -> None:
    """The kernel names the peer."""
    for path in (fabric.place, served.path.parent):
        path.chmod(0o711)
    served.path.chmod(0o666)
    program = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "sys.stdout.buffer.write(s.makefile('rb').read())"
    )
    command = [sys.executable, "-I", "-c", program, str(served.path)]
    result = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, check=True, timeout=30
    )
    (failure,) = rpc.Framer().feed(result.stdout)
    assert isinstance(failure, rpc.Failure)
    assert failure.error["code"] == "SR9008"
    assert "user 65534 asked" in str(failure.error["facts"])


async def _raw(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, rpc.Framer]:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    framer = rpc.Framer()
    (welcome,) = framer.feed(await reader.read(65536))
    assert welcome == rpc.Welcome(rpc.PROTOCOL, "A", os.getpid(), "0.1.0")
    return reader, writer, framer


@pytest.mark.parametrize(
    "sent", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", rpc.encode(rpc.Welcome(1, "A", 1, "1"))]
)
async def test_what_is_no_call_ends_the_connection(served: Served, sent: bytes) -> None:
    """And nothing else: the site goes on."""
    reader, writer, _ = await _raw(served)
    writer.write(sent)
    assert await reader.read() == b""
    writer.close()
    await served.client().ping()


async def test_an_unknown_verb_and_wrong_arguments_are_answered(served: Served) -> None:
    """An owner of another version learns what is wrong, and may go on."""
    reader, writer, framer = await _raw(served)
    bad = rpc.Raw(b"\x81\xa1x\x01")
    for call in (rpc.Call(1, "explode"), rpc.Call(2, "read", bad), rpc.Call(3, rpc.PING)):
        writer.write(rpc.encode(call))
    answers: list[rpc.Message] = []
    while len(answers) < 3:
        answers += framer.feed(await reader.read(65536))
    codes = {each.id: each.error["code"] for each in answers if isinstance(each, rpc.Failure)}
    assert codes == {1: "SR9002", 2: "SR9002"}
    assert rpc.Answer(3, rpc.pack_result(None)) in answers
    writer.close()


async def test_a_call_ends_although_its_caller_is_gone(served: Served, fabric: Fabric) -> None:
    """A killed owner leaves no half-made volume."""
    client = served.client()
    await client.ping()
    call = asyncio.create_task(client.create_volume(log("second")))
    await until(lambda: bool(served.server._calls))
    await client.close()
    with pytest.raises(SrError, match="SR9301"):
        await call
    await until(lambda: not served.server._calls)
    assert {v.name for v in (await served.site.describe()).volumes} == {"volA", "logA", "second"}


@asynccontextmanager
async def _false_site(path: Path, *sends: bytes, hears_a_call: bool = True) -> AsyncIterator[None]:
    """Listen as a site would, send something, and something after each call; then hang up."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, data in enumerate(sends):
            if number and hears_a_call:
                await reader.read(65536)
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(accept, path=str(path))
    yield
    server.close()


WELCOME = rpc.encode(rpc.Welcome(rpc.PROTOCOL, "A", 1, "1"))


def _client(path: Path) -> SiteClient:
    return SiteClient("A", path, fabric=IDENTITY, owner_term=1, silence_seconds=0.05)


async def test_a_site_that_is_not_there_is_down(place: Path) -> None:
    """The facts are the system's words."""
    with pytest.raises(SrError, match="SR9301") as caught:
        await _client(place / "none").describe()
    assert "No such file" in caught.value.facts


async def test_a_site_that_says_nothing_does_not_answer(place: Path) -> None:
    """Stopped, or busy beyond help: connecting works, for the kernel does that."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place / "silent"))
    listener.listen()
    with pytest.raises(SrError, match="SR1105"):
        await _client(place / "silent").describe()
    listener.close()


async def test_a_site_of_another_version_is_told_from_a_dead_one(place: Path) -> None:
    """The mend is to use the same version, not to restart."""
    async with _false_site(place / "later", rpc.encode(rpc.Welcome(99, "A", 1, "9.9")), b""):
        with pytest.raises(SrError, match="SR9002") as caught:
            await _client(place / "later").describe()
    assert "9.9" in caught.value.facts


@pytest.mark.parametrize("garbage", [b"", b"\xff\xff\xff\xff", b"SSH-2.0-OpenSSH\r\n"])
async def test_something_else_behind_the_socket_is_no_site(place: Path, garbage: bytes) -> None:
    """It is not waited for."""
    async with _false_site(place / "other", garbage):
        with pytest.raises(SrError, match="SR9301"):
            await _client(place / "other").describe()


@pytest.mark.parametrize(
    ("verb", "arguments", "code"),
    [
        ("write", ("volA", 0, b"x"), "SR9225"),
        ("trim", ("volA", 0, 4096), "SR9225"),
        ("describe", (), "SR9301"),
        ("promote", ("a" * 32, "operation", 1), "SR9301"),
    ],
)
async def test_the_outcome_of_a_call_that_was_cut_off_is_unknown(
    place: Path, verb: str, arguments: tuple[object, ...], code: str
) -> None:
    """Neither "done" nor "not done" would be true."""
    client = SiteClient("A", place / "site", fabric=IDENTITY, owner_term=None)
    named = {"alone": False} if verb == "promote" else {}
    async with _false_site(place / "site", WELCOME, b""):
        with pytest.raises(SrError, match=code) as caught:
            await getattr(client, verb)(*arguments, **named)
    assert code == "SR9225" or f"{verb} was under way" in caught.value.facts
    await client.close()


async def test_an_answer_of_the_wrong_kind_is_a_defect_not_a_result(place: Path) -> None:
    """A site that lies must not make an owner believe it."""
    client = SiteClient("A", place / "site", fabric=IDENTITY, owner_term=None)
    wrong = rpc.encode(rpc.Answer(1, rpc.pack_result("soon")))
    async with _false_site(place / "site", WELCOME, wrong):
        with pytest.raises(SrError, match="SR9999"):
            await client.seal("a" * 32, "operation")
    await client.close()


def test_a_message_is_as_long_as_it_says() -> None:
    """Spelled out here a second time: other programs may speak this too."""
    message = rpc.encode(rpc.Call(1, "ping"))
    (length,) = struct.unpack(">I", message[:4])
    assert length == len(message) - 4
