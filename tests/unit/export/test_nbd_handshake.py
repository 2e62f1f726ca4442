"""The handshake: what a client may ask before it reads or writes, and what it is told."""

import struct

import pytest

from srshell.export.nbd_protocol import Phase
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice

# HAS_FLAGS, FLUSH, FUA, TRIM, WRITE_ZEROES, MULTI_CONN, CACHE, FAST_ZERO
WRITABLE = 0b1101_0110_1101
# HAS_FLAGS, READ_ONLY, FLUSH, FUA, MULTI_CONN, CACHE
READ_ONLY = 0b0101_0000_1111
DF = 1 << 7
MULTI_CONN = 1 << 8
SIZE = 1024 * 1024


def greeted(offer: wire.Offer | None = None) -> wire.Talk:
    talk = wire.Talk(offer or wire.Offer())
    assert talk.heard() == wire.GREETING
    assert talk.say(wire.client_flags()) == b""
    return talk


def asked(talk: wire.Talk, option: bytes) -> list[wire.OptionReply]:
    replies = wire.parse_option_replies(talk.say(option))
    (number,) = struct.unpack_from(">I", option, 8)
    assert {reply.option for reply in replies} == {number}
    return replies


def refused(talk: wire.Talk, option: bytes) -> int:
    """Ask for something that cannot be had; the handshake must go on."""
    (reply,) = asked(talk, option)
    assert reply.data.decode(), "a refusal says why"
    assert talk.connection.phase is Phase.HANDSHAKE
    assert asked(talk, wire.go("vol", number=wire.OPT_INFO))[-1].kind == wire.REP_ACK
    return reply.kind


def test_the_greeting_is_fixed_newstyle_without_zeroes() -> None:
    """Magic numbers, then both handshake flags."""
    talk = wire.Talk()
    assert talk.heard().hex() == "4e42444d4147494349484156454f50540003"


@pytest.mark.parametrize("flags", [4, 1 << 31, 0xFFFFFFFF])
def test_client_flags_that_were_not_offered_end_the_connection(flags: int) -> None:
    """The protocol asks for it."""
    talk = wire.Talk()
    talk.heard()
    assert talk.say(wire.client_flags(flags)) == b""
    assert talk.connection.phase is Phase.BROKEN


@pytest.mark.parametrize(("flags", "reserve"), [(1, 124), (3, 0), (0, 124)])
def test_export_name_answers_with_size_and_flags(flags: int, reserve: int) -> None:
    """The oldest way in, which the kernel's client still uses; NO_ZEROES drops the reserve."""
    talk = wire.Talk()
    talk.heard()
    reply = talk.say(wire.client_flags(flags) + wire.option(wire.OPT_EXPORT_NAME, b"vol"))
    assert reply == struct.pack(">QH", SIZE, WRITABLE) + bytes(reserve)
    assert talk.connection.phase is Phase.TRANSMISSION


@pytest.mark.parametrize("name", [b"none", b"\xff", b"n" * 256, b"n" * 5000, b"vol\0"])
def test_export_name_that_cannot_be_served_ends_the_connection(name: bytes) -> None:
    """This option has no answer for errors."""
    talk = greeted()
    assert talk.say(wire.option(wire.OPT_EXPORT_NAME, name)) == b""
    assert talk.connection.phase is Phase.BROKEN


def test_go_tells_size_flags_and_block_sizes_and_starts() -> None:
    """Byte for byte, as the specification draws it."""
    talk = greeted()
    reply = talk.say(wire.go("vol"))
    head = "0003e889045565a900000007"
    assert reply.hex() == (
        head + "00000003" "0000000c" "0000" "0000000000100000" "0d6d"
        + head + "00000003" "0000000e" "0003" "00000001" "00001000" "02000000"
        + head + "00000001" "00000000"
    )  # fmt: skip
    assert talk.connection.phase is Phase.TRANSMISSION


def test_info_tells_the_same_and_does_not_start() -> None:
    """A client may look first and choose later, as nbdinfo does."""
    talk = greeted()
    replies = asked(talk, wire.go("vol", 3, number=wire.OPT_INFO))
    assert [reply.kind for reply in replies] == [wire.REP_INFO, wire.REP_INFO, wire.REP_ACK]
    assert talk.connection.phase is Phase.HANDSHAKE


def test_the_name_is_told_when_asked() -> None:
    """Asked for together with what we do not know (77), which is passed over."""
    replies = asked(greeted(), wire.go("vol", 1, 2, 77))
    assert [reply.data[:2] for reply in replies] == [b"\0\0", b"\0\3", b"\0\1", b""]
    assert replies[2].data == b"\0\1vol"


@pytest.mark.parametrize("number", [wire.OPT_INFO, wire.OPT_GO])
def test_an_unknown_export_is_refused(number: int) -> None:
    talk = greeted()
    assert refused(talk, wire.go("none", number=number)) == wire.ERR_UNKNOWN


@pytest.mark.parametrize("number", [wire.OPT_INFO, wire.OPT_GO])
def test_an_export_that_goes_away_is_refused(number: int) -> None:
    """A client that comes during a failover is told to come back."""
    talk = greeted()
    talk.offer.leaving.add("vol")
    (reply,) = asked(talk, wire.go("vol", number=number))
    assert reply.kind == wire.ERR_SHUTDOWN


def test_a_read_only_export_says_so() -> None:
    """And offers nothing that changes it."""
    offer = wire.Offer({"vol": MemoryDevice(read_only=True)})
    replies = asked(greeted(offer), wire.go("vol"))
    assert replies[0].data == struct.pack(">HQH", 0, SIZE, READ_ONLY)


def test_several_connections_are_offered_only_if_the_device_can() -> None:
    """Without the flag, clients stay on one connection."""
    offer = wire.Offer({"vol": MemoryDevice(multi_connection=False)})
    replies = asked(greeted(offer), wire.go("vol"))
    assert replies[0].data == struct.pack(">HQH", 0, SIZE, WRITABLE & ~MULTI_CONN)


def test_structured_replies_bring_unfragmented_reads() -> None:
    """DF has no meaning without them."""
    talk = greeted()
    assert asked(talk, wire.option(wire.OPT_STRUCTURED_REPLY)) == [(8, wire.REP_ACK, b"")]
    replies = asked(talk, wire.go("vol"))
    assert replies[0].data == struct.pack(">HQH", 0, SIZE, WRITABLE | DF)


def test_list_names_every_export_and_ends_with_ack() -> None:
    offer = wire.Offer({"vol": MemoryDevice(), "größer": MemoryDevice()})
    assert asked(greeted(offer), wire.option(wire.OPT_LIST)) == [
        (3, wire.REP_SERVER, b"\0\0\0\3vol"),
        (3, wire.REP_SERVER, wire.text("größer")),
        (3, wire.REP_ACK, b""),
    ]


def test_abort_is_acknowledged_and_ends_the_connection() -> None:
    talk = greeted()
    assert asked(talk, wire.option(wire.OPT_ABORT)) == [(2, wire.REP_ACK, b"")]
    assert talk.connection.phase is Phase.LEAVING
    assert not talk.connection.reason


@pytest.mark.parametrize("number", [4, wire.OPT_STARTTLS, wire.OPT_EXTENDED_HEADERS, 12, 1 << 31])
@pytest.mark.parametrize("data", [b"", b"whatever"])
def test_an_unknown_option_is_refused_and_survived(number: int, data: bytes) -> None:
    """Newer clients ask for extended headers first, and expect a refusal rather than the end."""
    assert refused(greeted(), wire.option(number, data)) == wire.ERR_UNSUP


@pytest.mark.parametrize(
    "option",
    [
        wire.option(wire.OPT_LIST, b"x"),
        wire.option(wire.OPT_STRUCTURED_REPLY, b"x"),
        wire.option(wire.OPT_GO),
        wire.option(wire.OPT_GO, b"\0\0\0\3vol"),
        wire.option(wire.OPT_GO, b"\0\0\0\3vol\0\1"),
        wire.option(wire.OPT_GO, b"\0\0\0\3vol\0\0x"),
        wire.option(wire.OPT_INFO, b"\0\0\0\3vo"),
        wire.option(wire.OPT_GO, b"\0\0\0\3vo\0\0\0"),
        wire.option(wire.OPT_GO, b"\0\0\0\2\xc3\x28\0\0"),
    ],
)
def test_a_malformed_option_is_refused_and_survived(option: bytes) -> None:
    """Its length is known, so the next option is found."""
    assert refused(greeted(), option) == wire.ERR_INVALID


@pytest.mark.parametrize(
    "option",
    [
        wire.go("n" * 256),
        wire.option(wire.OPT_GO, b"\xff" * 8),
        wire.option(wire.OPT_LIST, bytes(4097)),
        wire.option(99, bytes(100_000)),
    ],
)
def test_what_is_too_big_is_stepped_over(option: bytes) -> None:
    """Without memory for it: the bytes are dropped as they come."""
    assert refused(greeted(), option) == wire.ERR_TOO_BIG


def test_an_option_of_gigabytes_ends_the_connection() -> None:
    """It would keep us reading for nothing."""
    talk = greeted()
    assert talk.say(b"IHAVEOPT" + struct.pack(">II", 99, 0xFFFFFFFF)) == b""
    assert talk.connection.phase is Phase.BROKEN


def test_a_broken_magic_number_ends_the_connection() -> None:
    """Where the next option begins is unknown."""
    talk = greeted()
    assert talk.say(b"IHAVEOPS" + bytes(8)) == b""
    assert talk.connection.phase is Phase.BROKEN


def context_of(talk: wire.Talk, name: str = "vol") -> bool:
    talk.say(wire.go(name))
    agreement = talk.connection.agreement
    assert agreement is not None
    return agreement.allocation_context


def structured(offer: wire.Offer | None = None) -> wire.Talk:
    talk = greeted(offer)
    talk.say(wire.option(wire.OPT_STRUCTURED_REPLY))
    return talk


def test_the_allocation_context_can_be_chosen() -> None:
    talk = structured()
    assert asked(talk, wire.meta(wire.OPT_SET_META, "vol", "x:y", "base:allocation")) == [
        (10, wire.REP_META, b"\0\0\0\1base:allocation"),
        (10, wire.REP_ACK, b""),
    ]
    assert context_of(talk)


@pytest.mark.parametrize("queries", [(), ("base:",), ("qemu:dirty-bitmap:x",), ("base:alloc",)])
def test_choosing_nothing_we_know_chooses_nothing(queries: tuple[str, ...]) -> None:
    """It is no error, and a wildcard is a question, not a choice."""
    talk = structured()
    talk.say(wire.meta(wire.OPT_SET_META, "vol", "base:allocation"))
    replies = asked(talk, wire.meta(wire.OPT_SET_META, "vol", *queries))
    assert replies == [(10, wire.REP_ACK, b"")]
    assert not context_of(talk)


@pytest.mark.parametrize("queries", [(), ("base:",), ("base:allocation", "x:")])
def test_contexts_are_listed(queries: tuple[str, ...]) -> None:
    talk = structured()
    assert asked(talk, wire.meta(wire.OPT_LIST_META, "vol", *queries)) == [
        (9, wire.REP_META, b"\0\0\0\0base:allocation"),
        (9, wire.REP_ACK, b""),
    ]
    assert not context_of(talk)


def test_a_context_that_does_not_exist_is_not_listed() -> None:
    replies = asked(structured(), wire.meta(wire.OPT_LIST_META, "vol", "x-other:"))
    assert replies == [(9, wire.REP_ACK, b"")]


@pytest.mark.parametrize("number", [wire.OPT_LIST_META, wire.OPT_SET_META])
def test_contexts_need_structured_replies(number: int) -> None:
    """Their answers could not be sent in the simple form."""
    assert refused(greeted(), wire.meta(number, "vol")) == wire.ERR_INVALID


@pytest.mark.parametrize("number", [wire.OPT_LIST_META, wire.OPT_SET_META])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\3vol",
        b"\0\0\0\3vol\0\0\0\1",
        b"\0\0\0\3vol\xff\xff\xff\xff",
        b"\0\0\0\3vol\0\0\0\1\0\0\0\1:x",
        b"\0\0\0\3vol\0\0\0\1\0\0\0\4base",
    ],
)
def test_a_malformed_context_query_is_refused(number: int, data: bytes) -> None:
    assert refused(structured(), wire.option(number, data)) == wire.ERR_INVALID


def test_a_context_belongs_to_the_export_it_was_chosen_for() -> None:
    """Another export may know nothing of it."""
    offer = wire.Offer({"vol": MemoryDevice(), "other": MemoryDevice()})
    talk = structured(offer)
    talk.say(wire.meta(wire.OPT_SET_META, "vol", "base:allocation"))
    assert not context_of(talk, "other")


def test_a_refused_choice_forgets_the_choice_before_it() -> None:
    talk = structured()
    talk.say(wire.meta(wire.OPT_SET_META, "vol", "base:allocation"))
    (reply,) = asked(talk, wire.meta(wire.OPT_SET_META, "none", "base:allocation"))
    assert reply.kind == wire.ERR_UNKNOWN
    assert not context_of(talk)


def test_requests_may_follow_the_choice_at_once() -> None:
    """A client in a hurry sends its first request behind GO."""
    talk = wire.Talk()
    talk.say(wire.client_flags() + wire.go("vol") + wire.request(wire.READ, 0, 512))
    assert [each.length for each in talk.requests] == [512]
