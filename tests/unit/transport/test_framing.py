"""However the bytes are cut on the way, the messages come out whole; damage stops the stream."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from srshell.codec.messages import Bye, Commit, Dirty, Message, Ping, Refused, encode_message
from srshell.transport.framing import JOIN_BYTES, SCRATCH_BYTES, MessageReader, joined
from srshell.transport.link import Received

#: Each lies on another side of a limit of the reader.
LENGTHS = [0, 1, 100, 16383, 16384, 16385, SCRATCH_BYTES, SCRATCH_BYTES + 1, 300_000]


def _feed(reader: MessageReader, data: bytes, cuts: list[int]) -> None:
    """Fill the reader's buffers with pieces of at most the lengths given, in turn."""
    position, turn = 0, 0
    while position < len(data):
        buffer = reader.buffer()
        assert len(buffer) > 0
        count = min(len(buffer), cuts[turn % len(cuts)], len(data) - position)
        buffer[:count] = data[position : position + count]
        reader.received(count)
        position, turn = position + count, turn + 1


def _stream(messages: list[tuple[Message, bytes]]) -> bytes:
    return b"".join(
        buffer
        for message, payload in messages
        for buffer in encode_message(message, [payload] if payload else [])
    )


_messages = st.one_of(
    st.builds(lambda number: (Commit(number), b""), st.integers(0, 2**63 - 1)),
    st.builds(lambda length: (Bye("x" * length), b""), st.sampled_from(LENGTHS)),
    st.builds(
        lambda length, fill: (Dirty(1, 2, True), bytes([fill]) * length),
        st.sampled_from(LENGTHS),
        st.integers(0, 255),
    ),
)


@given(
    messages=st.lists(_messages, max_size=8),
    cuts=st.lists(st.sampled_from([1, 23, 24, 25, 4096, 16384, 100_000]), min_size=1, max_size=5),
)
def test_any_cutting_gives_the_same_messages(
    messages: list[tuple[Message, bytes]], cuts: list[int]
) -> None:
    if max(cuts) == 1:
        messages = messages[:1]
    received: list[Received] = []
    reader = MessageReader(received.append)
    _feed(reader, _stream(messages), cuts)
    assert [(message, bytes(payload)) for message, payload in received] == messages
    assert not reader.in_message


def test_messages_that_end_behind_the_scratch_buffer_come_out_whole() -> None:
    """Its rest is moved to the front while more arrives."""
    messages: list[tuple[Message, bytes]] = [
        (Dirty(0, number, False), bytes([number]) * 10_007) for number in range(60)
    ]
    for cut in (SCRATCH_BYTES, 40_000, 33_000):
        received: list[Received] = []
        _feed(MessageReader(received.append), _stream(messages), [cut])
        assert received == messages


def test_a_stream_that_ends_inside_a_message_is_noticed() -> None:
    data = _stream([(Dirty(0, 0, True), bytes(20_000))])
    for length in (1, 24, 30, len(data) - 1):
        reader = MessageReader(lambda _: None)
        _feed(reader, data[:length], [4096])
        assert reader.in_message


def test_messages_before_the_damage_are_delivered() -> None:
    received: list[Received] = []
    reader = MessageReader(received.append)
    with pytest.raises(FormatError, match="magic"):
        _feed(
            reader, _stream([(Commit(1), b""), (Commit(2), b"")]) + b"GET / HTTP/1.1\r\n" * 2, [500]
        )
    assert [message for message, _ in received] == [Commit(1), Commit(2)]


def test_every_damaged_byte_of_header_and_meta_stops_the_stream() -> None:
    data = _stream([(Refused("SR1234", "no"), b"")])
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises(FormatError):
            _feed(MessageReader(lambda _: None), bytes(damaged), [500])


@pytest.mark.parametrize(
    ("meta_bytes", "payload_bytes"),
    [(1024 * 1024 + 1, 0), (2**32 - 1, 0), (10, 4 * 1024 * 1024 + 1), (10, 2**32 - 1)],
)
def test_a_claim_above_the_limits_takes_no_memory(meta_bytes: int, payload_bytes: int) -> None:
    """The header is sound; only its lengths are a lie."""
    header = bytearray(_stream([(Dirty(0, 0, True), b"x")])[:24])
    header[8:12] = meta_bytes.to_bytes(4, "little")
    header[12:16] = payload_bytes.to_bytes(4, "little")
    header[20:24] = crc32(bytes(header[:20])).to_bytes(4, "little")
    reader = MessageReader(lambda _: None)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="length"):
            _feed(reader, bytes(header), [24])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_message_that_lies_about_its_kind_is_refused() -> None:
    data = bytearray(_stream([(Ping(1, 2), b"")]))
    data[5] = 8
    data[20:24] = crc32(bytes(data[:20])).to_bytes(4, "little")
    with pytest.raises(FormatError, match="version"):
        _feed(MessageReader(lambda _: None), bytes(data), [500])


@given(st.lists(st.sampled_from([0, 1, 4096, JOIN_BYTES - 1, JOIN_BYTES, 200_000]), max_size=40))
def test_joining_changes_no_byte_and_copies_no_large_buffer(sizes: list[int]) -> None:
    buffers = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    writes = list(joined(buffers))
    assert b"".join(writes) == b"".join(buffers)
    large = [buffer for buffer in buffers if len(buffer) >= JOIN_BYTES]
    assert [any(write is buffer for write in writes) for buffer in large] == [True] * len(large)
    assert len(writes) <= 2 * len(large) + 1 + sum(sizes) // (4 * JOIN_BYTES)
