"""Link messages: bounded before memory is taken, exact in their fields."""

import struct
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import messages, wire
from srshell.codec.checksum import Buffer, crc32
from srshell.codec.copy_messages import RUNS_MAX, Runs, check_runs
from srshell.codec.errors import FormatError
from srshell.codec.messages import Message
from srshell.model.replica import Epoch, Era, OnPeerLoss, ReplicaData, ReplicaRole, Standing
from tests.unit.codec import samples

KIND = messages.MESSAGE_KINDS
NUMBERS = st.integers(0, 2**63 - 1)
TEXT = st.text(max_size=40)
ERAS = st.lists(st.builds(Era, st.builds(Epoch, NUMBERS, NUMBERS, TEXT), NUMBERS), max_size=4)
STANDINGS = st.builds(
    Standing,
    replica=TEXT,
    role=st.sampled_from(ReplicaRole),
    data=st.sampled_from(ReplicaData),
    history=ERAS.map(tuple),
    tail_lsn=NUMBERS,
    tail_crc=NUMBERS,
    log_first_lsn=NUMBERS,
    acked_alone_lsn=NUMBERS,
    marked_from_lsn=st.integers(-1, 2**63 - 1),
    alone=st.booleans(),
    unclean=st.booleans(),
    base_lsn=NUMBERS,
    copy_id=TEXT,
)


def values_of(hint: object) -> st.SearchStrategy[Any]:
    """Return all values that a field with this type may have."""
    plain: dict[object, st.SearchStrategy[Any]] = {
        wire.Number: NUMBERS,
        wire.Crc: st.integers(0, 2**32 - 1),
        int: st.integers(-(2**63), 2**63 - 1),
        str: TEXT,
        bytes: st.binary(max_size=40),
        bool: st.booleans(),
        Standing: STANDINGS,
        OnPeerLoss: st.sampled_from(OnPeerLoss),
        tuple[Era, ...]: ERAS.map(tuple),
    }
    if hint in plain:
        return plain[hint]
    inner = typing.get_args(hint)
    assert inner, hint
    if inner[-1] is ...:
        return st.lists(values_of(inner[0]), max_size=5).map(tuple)
    return st.tuples(*map(values_of, inner))


@st.composite
def any_message(draw: st.DrawFn) -> Message:
    """A message of any kind with any fields."""
    kind = draw(st.sampled_from(list(KIND)))
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [draw(values_of(hints[name])) for name in kind.__struct_fields__]
    return kind(*fields)


def refused(kind: int, meta: bytes) -> str:
    """Return the word with which a meta with the right checksum is refused."""
    with pytest.raises(FormatError) as refusal:
        messages.decode_message(kind, meta, crc32(meta))
    return refusal.value.what


def header(
    *,
    version: int = 1,
    kind: int = 6,
    reserve: int = 0,
    meta_bytes: int = 9,
    payload_bytes: int = 0,
) -> bytes:
    """Return a message header with the right checksum, whatever else it says."""
    data = struct.pack(
        "<4sBBHIII", messages.MAGIC, version, kind, reserve, meta_bytes, payload_bytes, 0
    )
    return data + crc32(data).to_bytes(4, "little")


@given(any_message())
def test_every_message_comes_back(message: Message) -> None:
    """All kinds, all fields, over the bytes of the link."""
    data = b"".join(messages.encode_message(message))
    found = messages.parse_header(data[:24])
    assert (found.kind, found.payload_bytes) == (KIND[type(message)], 0)
    assert len(data) == messages.HEADER_BYTES + found.meta_bytes
    assert messages.decode_message(found.kind, data[24:], found.meta_crc) == message


def test_payload_buffers_are_passed_through() -> None:
    """The body of a frame goes from the writer to the socket without a copy."""
    buffers: list[Buffer] = [b"table", bytearray(4096), memoryview(bytes(512))]
    frame = messages.Frame(1, 1, 1, 0, 0)
    first, *rest = messages.encode_message(frame, buffers)
    assert all(sent is given for sent, given in zip(rest, buffers, strict=True))
    assert messages.parse_header(bytes(first[:24])).payload_bytes == 5 + 4096 + 512


def test_the_numbers_of_the_kinds_are_those_of_version_1() -> None:
    """They are on the wire: append, never renumber."""
    names = [kind.__name__ for kind in KIND]
    assert list(KIND.values()) == list(range(1, 36))
    assert names[:6] == ["Hello", "Verdict", "Refused", "Rejoin", "Rejoined", "Frame"]
    assert names[27:29] == ["Bye", "Diverged"]
    assert names[29:] == ["Agreed", "Fetch", "Fetched", "Mend", "Mended", "Runs"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bytes(24), "magic"),
        (b"GET / HTTP/1.1\r\nHost: srs", "length"),
        (b"GET / HTTP/1.1\r\nHost: a", "length"),
        (b"GET / HTTP/1.1\r\nHost: ab", "magic"),
        (header(version=2), "version"),
        (header(kind=0), "version"),
        (header(kind=36), "version"),
        (header(reserve=1), "version"),
        (header(meta_bytes=messages.META_BYTES_MAX + 1), "length"),
        (header(meta_bytes=2**32 - 1), "length"),
        (header(payload_bytes=messages.PAYLOAD_BYTES_MAX + 1), "length"),
        (header(payload_bytes=2**32 - 1), "length"),
        (header(kind=KIND[messages.Ping], payload_bytes=1), "length"),
    ],
)
def test_a_header_that_cannot_be_is_refused(data: bytes, what: str) -> None:
    """From these 24 bytes alone, so that nothing was allocated for it."""
    with pytest.raises(FormatError) as refusal:
        messages.parse_header(data)
    assert refusal.value.what == what


def test_the_limits_themselves_are_allowed() -> None:
    """One megabyte of meta and four of payload."""
    data = header(meta_bytes=messages.META_BYTES_MAX, payload_bytes=messages.PAYLOAD_BYTES_MAX)
    assert messages.parse_header(data).payload_bytes == 4 << 20


def test_a_message_beyond_the_limits_is_not_made() -> None:
    """The peer would close the link."""
    for message, payload in (
        (messages.Bye("x" * messages.META_BYTES_MAX), ()),
        (messages.Dirty(0, 0, True), (bytes(messages.PAYLOAD_BYTES_MAX), b"x")),
    ):
        with pytest.raises(FormatError) as refusal:
            messages.encode_message(message, payload)
        assert refusal.value.what == "length"


@pytest.mark.parametrize("message", samples.MESSAGES, ids=lambda message: type(message).__name__)
def test_a_missing_an_extra_or_a_wrong_field_refuses_the_message(message: Message) -> None:
    """Nothing is guessed and nothing is ignored."""
    kind = KIND[type(message)]
    meta = bytes(messages.encode_message(message)[0][messages.HEADER_BYTES :])
    fields = msgspec.msgpack.decode(meta)
    assert refused(kind, msgspec.msgpack.encode([*fields, 0])) == "version"
    assert refused(kind, meta + b"\x00") == "version"
    assert refused(kind, msgspec.msgpack.encode({"fields": fields})) == "version"
    for index in range(len(fields)):
        assert refused(kind, msgspec.msgpack.encode(fields[:index])) == "version"
        wrong = [*fields[:index], {"not": "this"}, *fields[index + 1 :]]
        assert refused(kind, msgspec.msgpack.encode(wrong)) == "version"


@pytest.mark.parametrize(
    "fields", [[-1, 1, 1, 0, 0], [1, 2**63, 1, 0, 0], [1, 1, 1, 2**32, 0], [1, 1, 1.0, 0, 0]]
)
def test_a_number_out_of_its_range_refuses_the_message(fields: list[float]) -> None:
    """So that nothing behind the codec meets a negative length."""
    assert refused(KIND[messages.Frame], msgspec.msgpack.encode(fields)) == "version"


@pytest.mark.parametrize(
    "meta",
    [
        b"\x92\x00\xdd\xff\xff\xff\xff",  # an array of four billion eras
        b"\x92\x00\xdb\xff\xff\xff\xff",  # a string of four gigabytes
        b"\x92\x00\x91\x81\xa1z" + b"\x91" * 500_000,  # an unknown key, nested without end
        b"\xc1",
        b"",
    ],
)
def test_a_meta_that_lies_about_its_size_is_refused(meta: bytes) -> None:
    """Its checksum is right: the peer itself is broken or hostile."""
    assert refused(KIND[messages.Fence], meta) == "version"


def test_text_that_is_not_utf_8_refuses_the_message() -> None:
    """Nothing behind the codec meets half a character."""
    assert refused(KIND[messages.Bye], b"\x91\xa2\xff\xfe") == "version"


def test_an_unknown_kind_is_refused_again_when_decoding() -> None:
    """The number may come from elsewhere than a parsed header."""
    assert refused(200, b"\x90") == "version"


@pytest.mark.parametrize(
    ("extent", "payload", "what"),
    [
        (messages.Extent(1, 0, 0, 7, crc32(b"srshell"), False), b"srshel", "length"),
        (messages.Extent(1, 0, 0, 7, crc32(b"srshell"), False), b"srshelL", "checksum"),
        (messages.Extent(1, 0, 0, 7, 0, True), b"srshell", "length"),
        (messages.Extent(1, 0, 0, 7, 1, True), b"", "checksum"),
        (messages.Extent(1, 0, 0, 0, 0, False), b"", "length"),
    ],
)
def test_an_extent_with_other_data_is_refused(
    extent: messages.Extent, payload: bytes, what: str
) -> None:
    """The copy of a volume has no log whose checksum would find it later."""
    with pytest.raises(FormatError) as refusal:
        messages.check_extent(extent, payload)
    assert refusal.value.what == what


def runs(*ranges: tuple[int, int], crc: int | None = None, zero: bool = False) -> Runs:
    expected = 0 if zero else crc32(b"srshell")
    return Runs(1, 0, ranges, expected if crc is None else crc, zero)


@pytest.mark.parametrize(
    ("message", "payload", "what"),
    [
        (runs(), b"", "length"),
        (runs((0, 3), (8, 0), (9, 4)), b"srshell", "length"),
        (runs((0, 3), (8, 4)), b"srshel", "length"),
        (runs((0, 3), (2, 4)), b"srshell", "order"),
        (runs((8, 3), (0, 4)), b"srshell", "order"),
        (runs((0, 3), (8, 4)), b"srshelL", "checksum"),
        (runs((0, 3), (8, 4), zero=True), b"srshell", "length"),
        (runs((0, 3), zero=True, crc=1), b"", "checksum"),
        (runs(*((place, 1) for place in range(RUNS_MAX + 1)), zero=True), b"", "length"),
    ],
)
def test_runs_with_other_data_or_out_of_order_are_refused(
    message: Runs, payload: bytes, what: str
) -> None:
    with pytest.raises(FormatError) as refusal:
        check_runs(message, payload)
    assert refusal.value.what == what


def test_runs_with_their_data_are_accepted() -> None:
    check_runs(runs((0, 3), (3, 4)), b"srshell")
    check_runs(runs((0, 3), (1 << 40, 1 << 30), zero=True), b"")


def test_an_extent_with_its_data_is_accepted() -> None:
    """Data, or a range of zeros of any length."""
    messages.check_extent(messages.Extent(1, 0, 0, 7, crc32(b"srshell"), False), b"srshell")
    messages.check_extent(messages.Extent(1, 0, 0, 1 << 30, 0, True), b"")
