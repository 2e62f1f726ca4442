"""Lengths are looked at before memory is taken, numbers before they are used: on every socket."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from srshell.codec.errors import FormatError
from srshell.codec.messages import META_BYTES_MAX, PAYLOAD_BYTES_MAX, parse_header
from srshell.export.nbd_protocol import NbdConnection, Phase
from srshell.fabric.control_http import UnixConnection
from srshell.model.errors import SrError
from srshell.replication.decide import decide
from srshell.site import labels, rpc
from srshell.transport.framing import MessageReader
from srshell.transport.link import Link
from srshell.transport.stream_network import StreamNetwork
from tests.unit.codec.samples import STANDING
from tests.unit.export import wire
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.serving import Served, serve
from tests.unit.fabric.setting import Opener, protect

_MIB: Final = 1024 * 1024


@contextmanager
def little_memory(limit_bytes: int = 2 * _MIB) -> Iterator[None]:
    """Fail if the block takes more than this at any moment."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()


def link_header(kind: int, meta_bytes: int, payload_bytes: int) -> bytes:
    """A header whose checksum is right."""
    head = struct.pack("<4sBBHIII", b"SRLK", 1, kind, 0, meta_bytes, payload_bytes, 0)
    return head + struct.pack("<I", zlib.crc32(head))


LINK_HEADERS: Final = {
    "meta of 4 GiB": link_header(1, 2**32 - 1, 0),
    "meta one byte too long": link_header(1, META_BYTES_MAX + 1, 0),
    "payload of 4 GiB": link_header(6, 40, 2**32 - 1),
    "payload one byte too long": link_header(6, 40, PAYLOAD_BYTES_MAX + 1),
    "payload where there is none": link_header(8, 10, 1),
    "an unknown kind": link_header(255, 1, 0),
    "kind zero": link_header(0, 1, 0),
    "another version": b"SRLK\x02" + link_header(1, 1, 0)[5:],
    "another magic": b"HTTP" + link_header(1, 1, 0)[4:],
    "nothing but zeros": bytes(24),
    "nothing but ones": b"\xff" * 24,
}


@pytest.mark.parametrize("wrong", LINK_HEADERS)
def test_a_header_of_the_link_is_refused_before_its_lengths_cost_anything(wrong: str) -> None:
    with pytest.raises(FormatError):
        parse_header(LINK_HEADERS[wrong])
    reader = MessageReader(lambda _: None)
    reader.buffer()[:24] = LINK_HEADERS[wrong]
    with little_memory(), pytest.raises(FormatError):
        reader.received(24)


async def test_a_link_ends_at_the_first_thing_that_is_no_message() -> None:
    """Over a real socket; the next peer is served."""
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        links: list[Link] = []

        async def accept(link: Link) -> None:
            links.append(link)
            await link.receive()

        listener = await StreamNetwork().listen(f"unix:{name}/s", accept)
        for number, said in enumerate([*LINK_HEADERS.values(), b"GET / HTTP/1.1\r\n\r\n" * 10]):
            reader, writer = await asyncio.open_unix_connection(f"{name}/s")
            writer.write(said)
            assert await reader.read() == b""
            assert links[number].closed
            writer.close()
        listener.close()


CALLS: Final = {
    "a call of 4 GiB": b"\xff\xff\xff\xff",
    "a call one byte too long": (rpc.MESSAGE_BYTES_MAX + 1).to_bytes(4, "big"),
    "no message": b"\0\0\0\1\xc1",
    "nothing": b"\0\0\0\0",
    "a list": b"\0\0\0\1\x90",
    "a map without a kind": b"\0\0\0\1\x80",
    "deep nesting": b"\0\0\x27\x10" + b"\x91" * 10_000,
    "an unknown kind": rpc.encode(rpc.Call(1, "x")).replace(b"call", b"cell"),
    "an array of 4 billion": b"\0\0\0\x05\xdd\xff\xff\xff\xff",
    "a text of 4 GiB": b"\0\0\0\x05\xdb\xff\xff\xff\xff",
}


@pytest.mark.parametrize("wrong", CALLS)
def test_a_call_to_a_site_is_refused_before_it_costs_anything(wrong: str) -> None:
    with little_memory(), pytest.raises(rpc.RpcError):
        rpc.Framer().feed(CALLS[wrong])


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("read", {"volume": "v", "offset": "0", "length": 1}),
        ("read", {"volume": "v", "offset": 0, "length": 1, "more": 1}),
        ("read", {"volume": 7, "offset": 0, "length": 1}),
        ("read", {}),
        ("write", {"volume": "v", "offset": 0, "data": [1, 2]}),
        ("greet", {"fabric": None, "owner_term": 1}),
        ("greet", {"fabric": "f", "owner_term": 1.5}),
    ],
)
def test_arguments_of_another_type_reach_no_verb(verb: str, arguments: dict[str, object]) -> None:
    with pytest.raises(rpc.RpcError):
        rpc.find_verb(verb).decode_arguments(rpc.pack_result(arguments))


@pytest.mark.parametrize("verb", ["close", "__init__", "_lock", "open", "settings", "__class__"])
def test_only_the_verbs_of_a_site_can_be_called(verb: str) -> None:
    """What else an object has is no verb."""
    with pytest.raises(KeyError):
        rpc.find_verb(verb)


def test_an_nbd_option_is_refused_before_it_costs_anything() -> None:
    connection = NbdConnection(wire.Offer())
    said = wire.client_flags() + b"IHAVEOPT" + struct.pack(">II", 7, 2**32 - 1)
    with little_memory():
        connection.receive_buffer()[: len(said)] = said
        connection.received(len(said))
        assert connection.next_request() is None
    assert connection.phase is Phase.BROKEN


def test_a_label_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    """At most 16 MiB of it."""
    path = tmp_path / ".srshell-pool"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    with little_memory(64 * _MIB), pytest.raises(SrError, match="SR1101"):
        labels.read_label(path)


def test_a_standing_of_any_length_is_decided_in_time() -> None:
    """What decides is not what an attacker can slow down: histories are short before it looks."""
    assert decide(STANDING, STANDING).mirrored() == decide(STANDING, STANDING)


# The control socket.


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        opener = Opener(Path(name), FakeWorld())
        with serve(opener.open()) as fabric:
            fabric.loop.run(protect(fabric.session, opener))
            yield fabric


Ask = Callable[[str, str, bytes | None], tuple[int, dict[str, object]]]


@pytest.fixture
def ask(served: Served) -> Iterator[Ask]:
    """One request on a connection of its own."""
    connection = UnixConnection(served.directory / "api", 20)

    def exchange(method: str, path: str, body: bytes | None) -> tuple[int, dict[str, object]]:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    yield exchange
    connection.close()


PATHS: Final = {
    "a job beyond 64 bits": "/v1/jobs/" + "9" * 40,
    "a job of thousands of digits": "/v1/jobs/" + "9" * 5000,
    "a negative job": "/v1/jobs/-1",
    "a job in another script": "/v1/jobs/%D9%A3",
    "a wait that is no number": "/v1/jobs/1?wait=nan",
    "a wait for ever": "/v1/jobs/1?wait=inf",
    "a wait below zero": "/v1/jobs/1?wait=-1",
    "events after a huge number": "/v1/events?after=" + "9" * 30,
    "events after a word": "/v1/events?after=x",
    "a picture at no pace": "/v1/watch?period=nan",
    "a picture for ever": "/v1/watch?period=1e400",
    "nothing of this name": "/v1/passwords",
    "climbing": "/v1/../../etc/passwd",
    "encoded climbing": "/v1/%2e%2e/%2e%2e/etc/passwd",
    "a verb that changes": "/v1/failover",
    "another version": "/v2/status",
    "the root": "/",
}


@pytest.mark.parametrize("wrong", PATHS)
def test_an_address_that_means_nothing_is_refused(ask: Ask, wrong: str) -> None:
    """With an error object; nothing is found outside the table of addresses."""
    status, error = ask("GET", PATHS[wrong], None)
    assert status in {400, 404}, error
    assert str(error["code"]).startswith("SR000")
    assert "Traceback" not in json.dumps(error)


BODIES: Final = {
    "no JSON": b"{",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "not UTF-8": b'{"group": "\xff"}',
    "a lone surrogate": b'{"group": "\\ud800"}',
    "deep nesting": b'{"group": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "infinity": b'{"group": "PriRG", "timeout": Infinity}',
    "not a number": b'{"group": "PriRG", "timeout": NaN}',
    "beyond 64 bits": b'{"group": "PriRG", "timeout": 1' + b"0" * 400 + b"}",
    "thousands of digits": b'{"group": "PriRG", "timeout": ' + b"9" * 5000 + b"}",
    "another type": b'{"group": {"name": "PriRG"}}',
    "an argument too many": b'{"group": "PriRG", "context": 1}',
    "a private argument": b'{"group": "PriRG", "ask": false}',
    "a method": b'{"group": "PriRG", "__class__": "x"}',
}


@pytest.mark.parametrize("wrong", BODIES)
def test_a_body_that_fits_no_verb_is_refused(ask: Ask, wrong: str) -> None:
    """Before anything is looked at."""
    status, error = ask("POST", "/v1/operations/wait", BODIES[wrong])
    assert (status, error["code"]) == (400, "SR0001"), error


@pytest.mark.parametrize(
    "verb", ["perform", "close", "follow", "__init__", "volume", "plan", "x" * 5000]
)
def test_what_is_no_verb_cannot_be_asked_for(ask: Ask, verb: str) -> None:
    """The methods of the session are no verbs."""
    status, error = ask("POST", f"/v1/operations/{verb}", b"{}")
    assert (status, error["code"]) == (400, "SR0001")


def test_a_body_beyond_a_megabyte_is_refused(ask: Ask) -> None:
    status, error = ask("POST", "/v1/operations/wait", b" " * (2 * _MIB))
    assert (status, error["code"]) == (413, "SR0001")


#: What an HTTP server may meet; it answers 400, or hangs up.
NOISE: Final = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00" * 10 + b"\r\n\r\n",
    "a header without end": b"GET /v1/hello HTTP/1.1\r\nX: " + b"a" * 200_000,
    "headers without end": b"GET /v1/hello HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    "a negative length": b"POST /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "a length that is none": b"POST /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 1e9\r\n\r\n",
    "a chunk that is none": b"POST /v1/stop HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a NUL in a header": b"GET /v1/hello HTTP/1.1\r\nHost: \0\r\n\r\n",
    "another protocol": b"NBDMAGICIHAVEOPT" * 100,
}


@pytest.mark.parametrize("noise", NOISE)
def test_noise_on_the_control_socket_is_met_with_400(served: Served, ask: Ask, noise: str) -> None:
    """The owner does not stop, and answers the next one."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(20)
        stream.connect(str(served.directory / "api"))
        try:
            stream.sendall(NOISE[noise])
            stream.shutdown(socket.SHUT_WR)
            said = stream.recv(4096)
        except ConnectionError:
            said = b""
        assert said[:1] in {b"", b"H"}
        assert said[8:13] in {b"", b" 400 "}, said
    assert ask("GET", "/v1/hello", None)[0] == 200
    assert served.stopped == []


def test_silent_clients_do_not_keep_others_waiting(served: Served, ask: Ask) -> None:
    """Two hundred connections that say half a line."""
    with ExitStack() as crowd:
        for _ in range(200):
            stream = crowd.enter_context(socket.socket(socket.AF_UNIX))
            stream.connect(str(served.directory / "api"))
            stream.sendall(b"GET /v1/he")
        assert ask("GET", "/v1/hello", None)[0] == 200
