"""Answers, byte for byte, in the form that was agreed."""

import struct

import pytest

from srshell.export.device import Range
from srshell.export.nbd_numbers import NbdError, error_from_errno_name
from srshell.export.nbd_replies import fit_ranges
from tests.unit.export import wire


def test_a_read_is_answered_in_the_simple_form() -> None:
    talk = wire.negotiated()
    talk.say(wire.request(wire.READ, 8, 4, cookie=0x0102030405060708))
    talk.connection.answer_data(talk.requests[0], b"data")
    assert talk.heard().hex() == "67446698000000000102030405060708" + b"data".hex()


def test_a_read_is_answered_in_one_structured_chunk() -> None:
    """Once agreed, also where DF was not asked: fewer chunks cost less."""
    talk = wire.negotiated(structured=True)
    talk.say(wire.request(wire.READ, 8, 4, cookie=0x0102030405060708))
    talk.connection.answer_data(talk.requests[0], b"data")
    assert talk.heard().hex() == (
        "668e33ef0001000101020304050607080000000c0000000000000008" + b"data".hex()
    )


def test_a_structured_error_carries_a_sentence() -> None:
    talk = wire.negotiated(structured=True)
    talk.say(wire.request(wire.READ, 8, 4, cookie=9))
    talk.connection.answer_error(talk.requests[0], NbdError.EIO, "no disk")
    assert talk.heard().hex() == (
        "668e33ef0001800100000000000000090000000d000000050007" + b"no disk".hex()
    )


def test_a_simple_error_carries_no_data() -> None:
    talk = wire.negotiated()
    talk.say(wire.request(wire.READ, 8, 4))
    talk.connection.answer_error(talk.requests[0], NbdError.EIO, "no disk")
    assert talk.heard() == wire.simple(error=wire.EIO)


def test_a_long_sentence_is_cut_between_characters() -> None:
    """A device's message must not break the stream."""
    talk = wire.negotiated(structured=True)
    talk.say(wire.request(wire.FLUSH))
    talk.connection.answer_error(talk.requests[0], NbdError.EIO, "x" + "ä" * 5000 + "\ud800")
    (reply,) = wire.parse_replies(talk.heard())
    (length,) = struct.unpack_from(">H", reply.data, 4)
    assert length == len(reply.data) - 6 <= 1024
    assert set(reply.data[6:].decode()) == {"x", "ä"}


def test_ranges_are_answered_under_the_context_that_was_told() -> None:
    talk = wire.negotiated(structured=True, context=True)
    talk.say(wire.request(wire.BLOCK_STATUS, 0, 8192, cookie=5))
    talk.connection.answer_ranges(talk.requests[0], [(4096, 0), (4096, 3)])
    assert talk.heard().hex() == (
        "668e33ef" "0001" "0005" "0000000000000005" "00000014"
        "00000001" "00001000" "00000000" "00001000" "00000003"
    )  # fmt: skip


def test_one_range_is_answered_if_one_was_asked() -> None:
    """Joined from neighbours that are alike."""
    talk = wire.negotiated(structured=True, context=True)
    talk.say(wire.request(wire.BLOCK_STATUS, 0, 8192, wire.REQ_ONE))
    talk.connection.answer_ranges(talk.requests[0], [(1024, 3), (1024, 3), (6144, 0)])
    (reply,) = wire.parse_replies(talk.heard())
    assert reply.data == struct.pack(">III", 1, 2048, 3)


@pytest.mark.parametrize(
    ("ranges", "fitted"),
    [
        ([(10, 0)], [(10, 0)]),
        ([(4, 1), (100, 2)], [(4, 1), (6, 2)]),
        ([(4, 1), (0, 2), (3, 1)], [(7, 1)]),
        ([(10, 0), (10, 3)], [(10, 0)]),
        ([], [(10, 0)]),
        ([(0, 3)], [(10, 0)]),
        ([(1, 0), (1, 1), (1, 2), (1, 3)], [(1, 0), (1, 1), (1, 2)]),
        ([(1, 0), (1, 1), (1, 2), (7, 2)], [(1, 0), (1, 1), (8, 2)]),
    ],
)
def test_ranges_fit_into_what_was_asked(ranges: list[Range], fitted: list[Range]) -> None:
    """Ten bytes and three ranges at most; silence means that nothing is known."""
    assert fit_ranges(ranges, 10, 3) == fitted


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("ENOSPC", wire.ENOSPC),
        ("EDQUOT", wire.ENOSPC),
        ("EFBIG", wire.ENOSPC),
        ("EROFS", wire.EPERM),
        ("ESHUTDOWN", wire.ESHUTDOWN),
        ("EINVAL", wire.EINVAL),
        ("ENOTSUP", wire.EIO),
        ("EREMOTEIO", wire.EIO),
        ("no such name", wire.EIO),
    ],
)
def test_every_errno_has_an_error_that_the_protocol_knows(name: str, error: int) -> None:
    """ENOTSUP is reserved for fast zeroing, so it is not passed on."""
    assert error_from_errno_name(name) == error
