"""The connection as a whole: whatever comes, in whatever pieces, it stays in step and in bounds."""

from collections import Counter

import attrs
from hypothesis import given
from hypothesis import strategies as st

from srshell.export.nbd_numbers import NbdError
from srshell.export.nbd_protocol import NbdConnection, Phase
from srshell.export.nbd_requests import ClientLimits, Request
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice

SIZE = 256 * 1024
LIMITS = ClientLimits(requests=4, payload_bytes=200_000)


@attrs.define(eq=False)
class Answered:
    """Feeds a connection as a socket would, and answers each request in one of the allowed ways."""

    connection: NbdConnection
    #: One entry per answer; the data of a read apart from its header.
    output: list[bytes] = attrs.field(factory=list)
    requests: list[Request] = attrs.field(factory=list)

    def feed(self, stream: bytes, pieces: list[int]) -> None:
        """Feed ``pieces`` one after the other, then the rest at once."""
        at = 0
        turn = 0
        self._answer_all()
        while at < len(stream) and self._is_read():
            room = self.connection.receive_buffer()
            assert len(room) > 0
            piece = pieces[turn] if turn < len(pieces) else len(stream)
            count = min(piece, len(room), len(stream) - at)
            room[:count] = stream[at : at + count]
            self.connection.received(count)
            at += count
            turn += 1
            self._answer_all()

    def _is_read(self) -> bool:
        return self.connection.phase in {Phase.HANDSHAKE, Phase.TRANSMISSION}

    def _answer_all(self) -> None:
        while True:
            out: list[Request] = []
            while (request := self.connection.next_request()) is not None:
                out.append(request)
            for request in out:
                self._answer(request)
            if not out:
                break
            self.requests += out
        self.output += map(bytes, self.connection.take_output())

    def _answer(self, request: Request) -> None:
        assert self.connection.requests_under_way <= LIMITS.requests
        if request.cookie % 5 == 0:
            self.connection.answer_error(request, NbdError.EIO, "no disk")
        elif request.command == wire.READ:
            self.connection.answer_data(request, bytes(request.length))
        elif request.command == wire.BLOCK_STATUS:
            self.connection.answer_ranges(request, [(request.length, 3)])
        else:
            self.connection.answer(request)


def talked(stream: bytes, pieces: list[int], beginning: bytes = b"") -> Answered:
    """Feed ``beginning`` at once, forget its answers, then feed ``stream`` in pieces."""
    device = MemoryDevice(size_bytes=SIZE, fast_zero=False)
    answered = Answered(NbdConnection(wire.Offer({"vol": device}), LIMITS))
    answered.feed(beginning, [])
    if beginning:
        answered.output.clear()
    answered.feed(stream, pieces)
    return answered


PIECES = st.lists(st.integers(1, 40) | st.integers(1, 70_000), max_size=40)
NUMBERS_32 = st.integers(0, 2**32 - 1)
NAMES = st.sampled_from(["vol", "none", "", "n" * 300])

options = st.one_of(
    st.builds(wire.option, st.integers(0, 13) | NUMBERS_32, st.binary(max_size=40)),
    st.builds(wire.option, st.integers(2, 11), st.sampled_from([bytes(4096), bytes(9000)])),
    st.builds(
        wire.go, NAMES, st.integers(0, 4), number=st.sampled_from([wire.OPT_INFO, wire.OPT_GO])
    ),
    st.builds(
        wire.meta,
        st.sampled_from([wire.OPT_LIST_META, wire.OPT_SET_META]),
        NAMES,
        st.sampled_from(["base:allocation", "base:", "x", "x:y"]),
    ),
    st.just(wire.option(wire.OPT_STRUCTURED_REPLY)),
)
offsets = st.integers(0, SIZE) | st.integers(0, 2**64 - 1)
lengths = st.integers(0, 5000) | st.integers(0, 150_000)
requests = st.one_of(
    st.builds(
        wire.request,
        st.sampled_from([wire.READ, *range(3, 10)]),
        offsets,
        lengths | NUMBERS_32,
        st.sampled_from([0, 0, 0, 1, 2, 4, 8, 16, 32, 0x8001]),
        st.integers(0, 2**64 - 1),
    ),
    st.builds(
        wire.write,
        offsets,
        st.builds(bytes, lengths),
        st.sampled_from([0, 0, wire.FUA, wire.DF]),
        st.integers(0, 2**64 - 1),
    ),
)
BEGINNING = b"".join(
    [
        wire.client_flags(),
        wire.option(wire.OPT_STRUCTURED_REPLY),
        wire.meta(wire.OPT_SET_META, "vol", "base:allocation"),
        wire.go("vol"),
    ]
)


@given(st.binary(max_size=300), PIECES)
def test_any_bytes_are_answered_or_end_the_connection(stream: bytes, pieces: list[int]) -> None:
    """No input raises; a client that is not understood is dropped with a reason."""
    connection = talked(stream, pieces).connection
    assert (connection.phase is Phase.BROKEN) == bool(connection.reason)


@given(st.lists(options, max_size=6), st.binary(max_size=20), PIECES)
def test_any_options_are_answered_or_end_the_connection(
    sent: list[bytes], rest: bytes, pieces: list[int]
) -> None:
    """Every option that is not a choice or a farewell has replies in the right form."""
    stream = wire.client_flags() + b"".join(sent) + rest
    answered = talked(stream, pieces)
    output = b"".join(answered.output).removeprefix(wire.GREETING)
    if answered.connection.phase is Phase.HANDSHAKE:
        assert len(wire.parse_option_replies(output)) >= len(sent)
        assert answered.output[0] == wire.GREETING
        assert b"".join(answered.output) == b"".join(talked(stream, []).output)


@given(st.lists(requests, max_size=12), st.booleans(), PIECES)
def test_every_request_has_one_answer_however_it_was_cut(
    sent: list[bytes], structured: bool, pieces: list[int]
) -> None:
    """The stream means the same in one piece and in any others; answers may change places."""
    beginning = BEGINNING if structured else wire.client_flags() + wire.go("vol")
    whole = talked(b"".join(sent), [], beginning)
    cut = talked(b"".join(sent), pieces, beginning)
    assert Counter(cut.output) == Counter(whole.output)
    assert cut.requests == whole.requests
    assert whole.connection.phase is Phase.TRANSMISSION
    assert whole.connection.requests_under_way == 0
    if structured:
        replies = wire.parse_replies(b"".join(whole.output))
        answers = Counter(each.cookie for each in replies)
        assert answers == Counter(int.from_bytes(each[8:16], "big") for each in sent)


@given(st.lists(requests, max_size=6), st.integers(0, 2000), st.integers(1, 255), PIECES)
def test_a_damaged_stream_never_reaches_beyond_the_export(
    sent: list[bytes], place: int, damage: int, pieces: list[int]
) -> None:
    """Whatever a request says, the device is asked for what it has, and holds to the limits."""
    stream = bytearray(b"".join(sent))
    if stream:
        stream[place % len(stream)] ^= damage
    for request in talked(bytes(stream), pieces, BEGINNING).requests:
        assert request.offset + request.length <= SIZE
        assert len(request.payload) == (request.length if request.command == wire.WRITE else 0)
