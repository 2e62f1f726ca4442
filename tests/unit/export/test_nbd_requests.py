"""Requests: what reaches the device, what is refused with which error, and what is never read."""

import pytest

from srshell.export.nbd_protocol import Phase
from srshell.export.nbd_requests import ClientLimits
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice

SIZE = 1024 * 1024
MAX = 32 * 1024 * 1024
BIG = MemoryDevice(size_bytes=2 * MAX)


def error_of(talk: wire.Talk, data: bytes) -> int:
    """Send a request that must be refused, then one that must be understood."""
    (reply,) = wire.parse_replies(talk.say(data))
    assert reply.cookie == 7
    assert not talk.requests
    talk.say(wire.request(wire.FLUSH, cookie=8))
    assert [each.cookie for each in talk.requests] == [8]
    return reply.error


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (wire.request(wire.READ, SIZE - 511, 512), wire.EINVAL),
        (wire.request(wire.READ, 2**64 - 1, 2), wire.EINVAL),
        (wire.request(wire.READ, 0, 0), wire.EINVAL),
        (wire.request(wire.READ, 0, MAX + 1), wire.EINVAL),
        (wire.request(wire.READ, 0, 512, wire.NO_HOLE), wire.EINVAL),
        (wire.write(SIZE - 511, bytes(512)), wire.ENOSPC),
        (wire.write(2**64 - 1, bytes(512)), wire.ENOSPC),
        (wire.write(0, b""), wire.EINVAL),
        (wire.write(0, bytes(512), wire.DF), wire.EINVAL),
        (wire.write(0, bytes(512), wire.PAYLOAD_LEN), wire.EINVAL),
        (wire.write(0, bytes(MAX + 1)), wire.EINVAL),
        (wire.request(wire.TRIM, SIZE, 1), wire.EINVAL),
        (wire.request(wire.TRIM, 0, 512, wire.REQ_ONE), wire.EINVAL),
        (wire.request(wire.TRIM, 0, 0), wire.EINVAL),
        (wire.request(wire.WRITE_ZEROES, SIZE, 1), wire.ENOSPC),
        (wire.request(wire.WRITE_ZEROES, 0, 2**32 - 1), wire.ENOSPC),
        (wire.request(wire.WRITE_ZEROES, 0, 512, 1 << 15), wire.EINVAL),
        (wire.request(wire.CACHE, 1, SIZE), wire.EINVAL),
        (wire.request(wire.FLUSH, 1, 0), wire.EINVAL),
        (wire.request(wire.FLUSH, 0, 1), wire.EINVAL),
        (wire.request(wire.FLUSH, flags=wire.DF), wire.EINVAL),
        (wire.request(wire.BLOCK_STATUS, 0, 512), wire.EINVAL),
        (wire.request(8, 0, 512), wire.EINVAL),
        (wire.request(0xFFFF, 2**64 - 1, 2**32 - 1, 0xFFFF), wire.EINVAL),
    ],
)
@pytest.mark.parametrize("structured", [False, True])
def test_a_request_that_may_not_pass_is_refused_and_survived(
    data: bytes, error: int, *, structured: bool
) -> None:
    """With the error that the specification names; the request behind it is read in step."""
    assert error_of(wire.negotiated(structured=structured), data) == error


def test_a_refusal_tells_the_reason_where_it_can() -> None:
    """Structured replies have room for a sentence."""
    talk = wire.negotiated(structured=True)
    (reply,) = wire.parse_replies(talk.say(wire.request(wire.READ, SIZE, 1)))
    assert reply.data[6:] == b"the range ends beyond the export"


@pytest.mark.parametrize(
    "data",
    [
        wire.write(0, bytes(512)),
        wire.write(0, bytes(512), wire.FUA),
        wire.request(wire.TRIM, 0, 512),
        wire.request(wire.WRITE_ZEROES, 0, 512),
    ],
)
def test_a_read_only_export_refuses_changes(data: bytes) -> None:
    """Before the device is asked, which refuses as well."""
    talk = wire.negotiated(MemoryDevice(read_only=True))
    assert error_of(talk, data) == wire.EPERM


def test_an_unfragmented_read_that_is_too_large_overflows() -> None:
    """The one use that the specification has for this error."""
    talk = wire.negotiated(structured=True)
    assert error_of(talk, wire.request(wire.READ, 0, MAX + 1, wire.DF)) == wire.EOVERFLOW


def test_df_is_refused_without_structured_replies() -> None:
    assert error_of(wire.negotiated(), wire.request(wire.READ, 0, 512, wire.DF)) == wire.EINVAL


def test_fast_zeroing_is_refused_where_it_is_not_fast() -> None:
    """The client then writes the zeros itself, or leaves it."""
    talk = wire.negotiated(MemoryDevice(fast_zero=False))
    data = wire.request(wire.WRITE_ZEROES, 0, 512, wire.FAST_ZERO)
    assert error_of(talk, data) == wire.ENOTSUP


@pytest.mark.parametrize(
    ("data", "passed"),
    [
        (wire.request(wire.READ, SIZE - 1, 1), (wire.READ, SIZE - 1, 1)),
        (wire.request(wire.READ, 0, 65536, wire.DF), (wire.READ, 0, 65536)),
        (wire.request(wire.READ, 3, 5, wire.FUA), (wire.READ, 3, 5)),
        (wire.write(SIZE - 3, b"abc", wire.FUA), (wire.WRITE, SIZE - 3, 3)),
        (wire.request(wire.FLUSH, flags=wire.FUA), (wire.FLUSH, 0, 0)),
        (wire.request(wire.TRIM, 0, SIZE, wire.FUA), (wire.TRIM, 0, SIZE)),
        (wire.request(wire.CACHE, 0, SIZE), (wire.CACHE, 0, SIZE)),
        (
            wire.request(wire.WRITE_ZEROES, 0, 1, wire.FUA | wire.NO_HOLE | wire.FAST_ZERO),
            (wire.WRITE_ZEROES, 0, 1),
        ),
        (wire.request(wire.BLOCK_STATUS, 0, SIZE, wire.REQ_ONE), (wire.BLOCK_STATUS, 0, SIZE)),
    ],
)
def test_a_request_that_may_pass_reaches_the_device(
    data: bytes, passed: tuple[int, int, int]
) -> None:
    """FUA is accepted with every command: clients are known to set it everywhere."""
    talk = wire.negotiated(structured=True, context=True)
    assert talk.say(data) == b""
    (request,) = talk.requests
    assert (request.command, request.offset, request.length) == passed


@pytest.mark.parametrize("length", [MAX, 64 * 1024, 64 * 1024 - 1, 4096, 1])
@pytest.mark.parametrize("piece_bytes", [None, 100_000])
def test_payloads_arrive_whole_and_belong_to_their_request(
    length: int, piece_bytes: int | None
) -> None:
    """Nobody can write to a payload, and the next receive does not change it."""
    talk = wire.negotiated(BIG, limits=ClientLimits(payload_bytes=3 * MAX))
    first, second = (bytes([value]) * length for value in (1, 2))
    talk.say(wire.write(0, first) + wire.write(length, second), piece_bytes)
    talk.say(wire.write(0, b"\3" * 5000) * 60)
    assert [bytes(each.payload) for each in talk.requests[:2]] == [first, second]
    assert all(memoryview(each.payload).readonly for each in talk.requests)


def test_a_broken_magic_number_ends_the_connection() -> None:
    """What is under way is still waited for."""
    talk = wire.negotiated()
    talk.say(wire.request(wire.READ, 0, 512) + bytes(28))
    assert talk.connection.phase is Phase.BROKEN
    assert talk.connection.requests_under_way == 1


def test_after_a_disconnect_nothing_is_read() -> None:
    """The client said that it would send nothing more."""
    talk = wire.negotiated()
    talk.say(wire.request(wire.FLUSH) + wire.request(wire.DISC) + wire.request(wire.FLUSH))
    assert len(talk.requests) == 1
    assert talk.connection.phase is Phase.LEAVING


def test_no_more_requests_are_out_than_the_limit() -> None:
    """The rest waits in the buffer, and follows in order as answers are given."""
    talk = wire.negotiated(limits=ClientLimits(requests=2))
    talk.say(b"".join(wire.request(wire.READ, 0, 1, cookie=each) for each in range(5)))
    assert [each.cookie for each in talk.requests] == [0, 1]
    assert talk.connection.stalled
    talk.connection.answer_data(talk.requests[1], b"x")
    talk.collect()
    assert [each.cookie for each in talk.requests] == [0, 1, 2]
    for request in (talk.requests[0], talk.requests[2]):
        talk.connection.answer_data(request, b"x")
    talk.collect()
    assert [each.cookie for each in talk.requests] == [0, 1, 2, 3, 4]
    assert not talk.connection.stalled


def test_no_more_bytes_are_out_than_the_limit() -> None:
    """Writes count with their payload, reads with their answer, trims with nothing."""
    talk = wire.negotiated(limits=ClientLimits(payload_bytes=10_000))
    talk.say(wire.write(0, bytes(6000)) + wire.request(wire.TRIM, 0, SIZE))
    talk.say(wire.request(wire.READ, 0, 4000) + wire.write(0, b"x"))
    assert len(talk.requests) == 3
    assert talk.connection.stalled
    talk.connection.answer(talk.requests[0])
    talk.collect()
    assert len(talk.requests) == 4


def test_one_request_above_the_limit_passes_alone() -> None:
    """A limit may delay a request; it must never block it."""
    talk = wire.negotiated(BIG, limits=ClientLimits(payload_bytes=1000))
    talk.say(wire.request(wire.READ, 0, MAX) + wire.request(wire.READ, 0, 1))
    assert [each.length for each in talk.requests] == [MAX]


def test_memory_for_a_payload_is_taken_only_when_there_is_room() -> None:
    """Otherwise the limit would be passed by what is still arriving."""
    talk = wire.negotiated(BIG, limits=ClientLimits(payload_bytes=MAX))
    talk.say(wire.request(wire.READ, 0, 1) + wire.request(wire.WRITE, 0, MAX))
    assert talk.connection.stalled
    assert len(talk.connection.receive_buffer()) < MAX
    talk.connection.answer_data(talk.requests[0], b"x")
    talk.collect()
    assert len(talk.connection.receive_buffer()) == MAX


def test_an_export_that_goes_away_refuses_what_is_new() -> None:
    """What is under way is answered as it ends."""
    talk = wire.negotiated()
    talk.say(wire.write(0, b"old", cookie=1))
    talk.connection.shut_down()
    assert wire.parse_replies(talk.say(wire.write(0, b"new", cookie=2)))[0].error == wire.ESHUTDOWN
    talk.connection.answer(talk.requests[0])
    assert talk.heard() == wire.simple(cookie=1)
    assert len(talk.requests) == 1


def test_a_payload_that_is_still_arriving_does_not_hold_the_export() -> None:
    """The client could take for ever over the rest."""
    talk = wire.negotiated(BIG)
    data = wire.write(0, bytes(MAX), cookie=1)
    talk.say(data[: MAX // 2])
    assert talk.connection.requests_under_way == 1
    talk.connection.shut_down()
    assert talk.connection.requests_under_way == 0
    assert talk.heard() == wire.simple(1, wire.ESHUTDOWN)
    replies = wire.parse_replies(talk.say(data[MAX // 2 :] + wire.request(wire.FLUSH, cookie=2)))
    assert replies == [(2, -1, wire.ESHUTDOWN, b"")]
