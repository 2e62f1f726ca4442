"""What is known of ranges in several contexts, and connections that are for one export only."""

import struct
from collections.abc import Sequence

import pytest

from srshell.export.device import Range
from srshell.export.nbd_options import encode_only
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice

ONLY = 0x73725331


class Watched(MemoryDevice):
    """A device that knows what another copy of it lacks."""

    async def dirty_ranges(self, offset: int, length: int) -> Sequence[Range]:
        return [(length, 1)]


def chosen(*queries: str) -> wire.Talk:
    """A connection to a device that knows both contexts, with some of them chosen."""
    talk = wire.Talk(wire.Offer({"vol": Watched()}))
    talk.say(wire.client_flags() + wire.option(wire.OPT_STRUCTURED_REPLY))
    talk.say(wire.meta(wire.OPT_SET_META, "vol", *queries))
    talk.say(wire.go("vol"))
    talk.say(wire.request(wire.BLOCK_STATUS, 0, 8192, cookie=5))
    return talk


def chunks(data: bytes) -> list[tuple[int, tuple[int, ...]]]:
    """Flags of each chunk, and the numbers in it."""
    found = []
    while data:
        _, flags, _, _, length = struct.unpack_from(">IHHQI", data)
        found.append((flags, struct.unpack_from(f">{length // 4}I", data, 20)))
        data = data[20 + length :]
    return found


def test_each_context_that_was_chosen_has_a_chunk_of_its_own() -> None:
    """The last one ends the reply."""
    talk = chosen("srshell:dirty", "base:allocation")
    talk.connection.answer_ranges(talk.requests[0], [(8192, 3)], [(4096, 1), (4096, 0)])
    assert chunks(talk.heard()) == [(0, (1, 8192, 3)), (1, (2, 4096, 1, 4096, 0))]


@pytest.mark.parametrize(
    ("query", "chunk"), [("base:allocation", (1, 8192, 3)), ("srshell:dirty", (2, 8192, 1))]
)
def test_a_context_that_was_not_chosen_is_not_told(query: str, chunk: tuple[int, ...]) -> None:
    talk = chosen(query)
    talk.connection.answer_ranges(talk.requests[0], [(8192, 3)], [(8192, 1)])
    assert chunks(talk.heard()) == [(1, chunk)]


@pytest.mark.parametrize(
    ("queries", "listed"),
    [
        ((), [b"base:allocation", b"srshell:dirty"]),
        (("srshell:",), [b"srshell:dirty"]),
        (("base:", "srshell:dirt"), [b"base:allocation"]),
    ],
)
def test_contexts_are_listed_by_their_namespace(
    queries: tuple[str, ...], listed: list[bytes]
) -> None:
    talk = wire.Talk(wire.Offer({"vol": Watched()}))
    talk.say(wire.client_flags() + wire.option(wire.OPT_STRUCTURED_REPLY))
    replies = wire.parse_option_replies(talk.say(wire.meta(wire.OPT_LIST_META, "vol", *queries)))
    assert [reply.data[4:] for reply in replies[:-1]] == listed


def test_a_device_that_knows_nothing_of_another_copy_does_not_offer_it() -> None:
    talk = wire.Talk()
    talk.say(wire.client_flags() + wire.option(wire.OPT_STRUCTURED_REPLY))
    asked = wire.meta(wire.OPT_SET_META, "vol", "srshell:dirty")
    assert [reply.kind for reply in wire.parse_option_replies(talk.say(asked))] == [wire.REP_ACK]


def only(name: str, shown: str = "") -> wire.Talk:
    """A connection for one export of two."""
    talk = wire.Talk(wire.Offer({"vol": MemoryDevice(), "other": MemoryDevice()}))
    talk.say(wire.client_flags())
    (reply,) = wire.parse_option_replies(talk.say(encode_only(name, shown or name)))
    assert reply.kind == wire.REP_ACK
    return talk


def test_a_connection_for_one_export_knows_no_other() -> None:
    """Not by its name, and not in the list."""
    talk = only("vol")
    listed = wire.parse_option_replies(talk.say(wire.option(wire.OPT_LIST)))
    assert [reply.data[4:] for reply in listed[:-1]] == [b"vol"]
    (reply,) = wire.parse_option_replies(talk.say(wire.go("other")))
    assert reply.kind == wire.ERR_UNKNOWN
    talk.say(wire.go("vol"))
    assert talk.connection.agreement is not None


def test_the_empty_name_stands_for_the_one_export() -> None:
    talk = only("other")
    talk.say(wire.go(""))
    agreement = talk.connection.agreement
    assert agreement is not None
    assert agreement.export.name == "other"


def test_the_export_may_have_another_name_there() -> None:
    """The address of a gateway stays the same when the other side leads."""
    talk = only("other", "vol")
    listed = wire.parse_option_replies(talk.say(wire.option(wire.OPT_LIST)))
    assert [reply.data[4:] for reply in listed[:-1]] == [b"vol"]
    (reply,) = wire.parse_option_replies(talk.say(wire.go("other")))
    assert reply.kind == wire.ERR_UNKNOWN
    talk.say(wire.go("vol"))
    agreement = talk.connection.agreement
    assert agreement is not None
    assert agreement.export.name == "other"


@pytest.mark.parametrize("data", [b"", b"\0\0\0\3vol", b"\0\0\0\3vol\0\0\0\3vo", b"\0\0\1\0"])
def test_a_malformed_wish_for_one_export_is_refused(data: bytes) -> None:
    talk = wire.Talk()
    talk.say(wire.client_flags())
    (reply,) = wire.parse_option_replies(talk.say(wire.option(ONLY, data)))
    assert reply.kind & 0x80000000


def test_a_connection_for_an_export_that_is_not_there_finds_none() -> None:
    talk = only("gone")
    assert len(wire.parse_option_replies(talk.say(wire.option(wire.OPT_LIST)))) == 1
    (reply,) = wire.parse_option_replies(talk.say(wire.go("")))
    assert reply.kind == wire.ERR_UNKNOWN
