"""Bytes that arrive are messages of the protocol, or the connection ends."""

import inspect
import itertools
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.site import rpc
from srshell.site.api import FaultKind, PoolSpec, SiteApi
from srshell.site.client import SiteClient
from srshell.site.host import Site

MESSAGES: list[rpc.Message] = [
    rpc.Welcome(rpc.PROTOCOL, "ClusterA", 1, "1.0"),
    rpc.Call(1, "describe"),
    rpc.Call(2, "write", rpc.find_verb("write").encode_arguments("vol", 0, b"x" * 5000)),
    rpc.Answer(1, rpc.pack_result({"a": 1})),
    rpc.Failure(2, SrError.make("SR9301", array="ClusterA").to_json()),
]
STREAM = b"".join(map(rpc.encode, MESSAGES))


def test_every_verb_of_a_site_crosses_the_wire() -> None:
    """`close` hangs up here and ends a site there, so it is no verb."""
    methods = {name for name, _ in inspect.getmembers(SiteApi, inspect.iscoroutinefunction)}
    assert methods - {"close"} == rpc.VERB_NAMES


@pytest.mark.parametrize("kind", [Site, SiteClient])
@pytest.mark.parametrize("name", sorted(rpc.VERB_NAMES))
def test_site_and_client_take_the_same_arguments(kind: type[object], name: str) -> None:
    """Mypy checks the types; names and defaults matter on the wire too."""
    theirs = inspect.signature(getattr(kind, name)).parameters
    ours = inspect.signature(getattr(SiteApi, name)).parameters
    assert [(p.name, p.default, p.kind) for p in theirs.values()] == [
        (p.name, p.default, p.kind) for p in ours.values()
    ]


def test_arguments_arrive_as_their_types() -> None:
    """A pool that is specified here is a `PoolSpec` there, not a dictionary."""
    spec = PoolSpec("Pool", "/srv/pool", PoolKind.FILE, "f" * 32)
    verb = rpc.find_verb("add_pool")
    assert verb.decode_arguments(verb.encode_arguments(spec)) == {"spec": spec}
    fault = rpc.find_verb("fault")
    packed = fault.encode_arguments(FaultKind.FREEZE, seconds=1.5)
    assert fault.decode_arguments(packed) == {"kind": FaultKind.FREEZE, "seconds": 1.5}


def test_defaults_need_not_be_sent() -> None:
    """An older owner does not know of an argument that was added."""
    verb = rpc.find_verb("resume")
    raw = rpc.Raw(msgspec.msgpack.encode({"partnership": "a" * 32}))
    assert verb.decode_arguments(raw) == {"partnership": "a" * 32, "alone": False}


@pytest.mark.parametrize(
    "arguments",
    [
        {"volume": "vol", "offset": "0", "length": 1},
        {"volume": "vol", "offset": 0},
        {"volume": "vol", "offset": 0, "length": 1, "more": 1},
        ["vol", 0, 1],
        None,
    ],
)
def test_wrong_arguments_are_refused(arguments: object) -> None:
    """Nothing is guessed or dropped."""
    with pytest.raises(rpc.RpcError, match="arguments of read"):
        rpc.find_verb("read").decode_arguments(rpc.Raw(msgspec.msgpack.encode(arguments)))


def test_a_wrong_result_is_refused() -> None:
    """A site of another version may return something else."""
    with pytest.raises(rpc.RpcError, match="result of seal"):
        rpc.find_verb("seal").decode_result(rpc.pack_result("soon"))


@given(cuts=st.sets(st.integers(1, len(STREAM) - 1), max_size=40))
def test_messages_arrive_whole_however_the_stream_is_cut(cuts: set[int]) -> None:
    """A socket knows no messages."""
    framer, received = rpc.Framer(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for begin, end in itertools.pairwise(edges):
        received += framer.feed(STREAM[begin:end])
    assert received == MESSAGES


def test_a_length_is_checked_before_anything_is_kept() -> None:
    """Four bytes must not make us wait for gigabytes."""
    with pytest.raises(rpc.RpcError, match="4294967295 bytes"):
        rpc.Framer().feed(b"\xff" * 4)
    with pytest.raises(rpc.RpcError, match="possible are"):
        rpc.encode(rpc.Answer(1, rpc.pack_result(bytes(rpc.MESSAGE_BYTES_MAX))))


@given(body=st.binary(max_size=200))
def test_anything_else_is_an_error_of_the_protocol(body: bytes) -> None:
    """No other exception leaves the framer, whatever a stranger sends."""
    try:
        messages = rpc.Framer().feed(struct.pack(">I", len(body)) + body)
    except rpc.RpcError:
        return
    assert len(messages) == 1


def test_deep_nesting_is_refused() -> None:
    """A hundred thousand brackets would exhaust the stack of a careless reader."""
    body = b"\x91" * 100_000 + b"\x90"
    with pytest.raises(rpc.RpcError):
        rpc.Framer().feed(struct.pack(">I", len(body)) + body)
