"""Superblock slots: four of them, none believed unless all of it is right."""

from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import superblock
from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from srshell.codec.superblock_body import bodies
from srshell.model.replica import Epoch, Era, Segment, Superblock, VolumeLayout
from tests.unit.codec import samples

NUMBERS = st.integers(0, 2**64 - 1)
TEXT = st.text(max_size=64)
VOLUMES = st.builds(VolumeLayout, TEXT, TEXT, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
#: Volumes in few places, where the name may come more than once in the path, or not at all.
TOGETHER = st.builds(
    VolumeLayout,
    st.sampled_from(("", "a", "aa", "b")),
    st.text("a/", max_size=5),
    *(NUMBERS,) * 6,
)
CREATORS = st.one_of(TEXT, st.sampled_from((samples.SUPERBLOCK.replica, samples.SUPERBLOCK.peer)))
SLOT = superblock.slot_of(samples.SUPERBLOCK.generation)


def sealed(
    body: bytes, *, version: int = superblock.VERSION, slot: int = SLOT, generation: int = 1027
) -> bytes:
    """Return a slot with the right checksum, whatever else it says."""
    header = superblock._HEADER.pack(superblock.MAGIC, version, slot, len(body), generation)
    return header + crc32(body, crc32(header)).to_bytes(4, "little") + body


def body_of(data: bytes) -> bytes:
    """Return the body of a slot."""
    return data[superblock.HEADER_BYTES :][: int.from_bytes(data[8:12], "little")]


def packed(fields: object) -> bytes:
    """Return MessagePack as a superblock has it."""
    return msgspec.msgpack.encode(fields, order="sorted")


def refused(data: bytes, slot: int = SLOT) -> str:
    """Return the word with which a slot is refused."""
    with pytest.raises(FormatError) as refusal:
        superblock.decode_superblock(data, slot)
    return refusal.value.what


@given(
    st.builds(
        attrs.evolve,
        st.just(samples.SUPERBLOCK),
        generation=NUMBERS,
        group=TEXT,
        peer_address=st.text(max_size=108),
        peer=st.one_of(TEXT, st.just(samples.SUPERBLOCK.replica)),
        volumes=st.lists(st.one_of(VOLUMES, TOGETHER), max_size=4).map(tuple),
        history=st.lists(
            st.builds(Era, st.builds(Epoch, NUMBERS, NUMBERS, CREATORS), NUMBERS), max_size=8
        ).map(tuple),
        segments=st.lists(st.builds(Segment, NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=8).map(
            tuple
        ),
        alone=st.booleans(),
        lost_unix=st.floats(allow_nan=False),
        failure=st.text(max_size=200),
    )
)
def test_a_superblock_comes_back(value: Superblock) -> None:
    """Whole sectors, within its slot, equal to what was written."""
    data = superblock.encode_superblock(value)
    assert len(data) <= superblock.SLOT_BYTES
    assert len(data) % 4096 == 0
    assert superblock.decode_superblock(data, value.generation % 4) == value
    # What fitted its slot in version 1 fits it still when a later release writes it.
    assert not value.volumes or len(body_of(data)) <= len(next(bodies(1, value)))


def test_what_an_older_longer_superblock_left_behind_is_ignored() -> None:
    """A slot is overwritten only as far as the new one reaches."""
    data = superblock.encode_superblock(samples.SUPERBLOCK).ljust(superblock.SLOT_BYTES, b"\xff")
    assert superblock.decode_superblock(data, SLOT) == samples.SUPERBLOCK


def test_four_generations_stand_in_four_slots() -> None:
    """So that a torn write leaves three."""
    assert [superblock.slot_of(generation) for generation in range(6)] == [0, 1, 2, 3, 0, 1]


def test_a_slot_never_written_has_no_magic() -> None:
    """A log volume that was just made is zeros."""
    assert refused(bytes(superblock.SLOT_BYTES)) == "magic"


def test_a_superblock_in_the_wrong_slot_is_refused() -> None:
    """A write that landed elsewhere must not hide the newest generation."""
    data = superblock.encode_superblock(samples.SUPERBLOCK)
    assert {refused(data, slot) for slot in range(4) if slot != SLOT} == {"identity"}


def test_a_later_version_is_refused_by_that_word_when_it_is_intact() -> None:
    """A person must learn to upgrade, not to look for a broken disk."""
    later = superblock.VERSION + 1
    assert refused(sealed(b"\x80", version=later)) == "version"
    body = body_of(superblock.encode_superblock(samples.SUPERBLOCK))
    generation = samples.SUPERBLOCK.generation
    assert refused(sealed(body, version=later, generation=generation)) == "version"
    damaged = bytearray(sealed(b"\x80", version=later))
    damaged[-1] ^= 1
    assert refused(bytes(damaged)) == "checksum"


def test_an_unknown_field_is_refused() -> None:
    """It would be lost at the next write, and it may be what keeps the data safe."""
    fields = msgspec.msgpack.decode(body_of(superblock.encode_superblock(samples.SUPERBLOCK)))
    assert refused(sealed(packed(fields | {"witness": 1}))) == "version"


def test_facts_written_in_another_way_are_refused() -> None:
    """There is one way to write each: a second one is of a later release, or of nobody."""
    sample = samples.SUPERBLOCK_2
    body = body_of(superblock.encode_superblock(sample))
    fields: dict[str, list[Any]] = msgspec.msgpack.decode(body)
    assert packed(fields) == body
    first, *volumes = fields["volumes"]
    *eras, last = fields["history"]
    path = "/pools/a/data.raw"
    changes: list[dict[str, object]] = [
        {"places": [*fields["places"], ["/unused/", ""]]},
        {"places": fields["places"][:-1]},
        {"places": [["/pools/", "a/", ".raw"], *fields["places"][1:]]},
        {"places": [[], *fields["places"][1:]]},
        {"places": {}},
        {"places": [[path], *fields["places"]], "volumes": [first, *volumes]},
        {"volumes": [[first[0], -2, *first[2:]], *volumes]},
        {"volumes": [first[:-1], *volumes]},
        {"volumes": [[*first, 0], *volumes]},
        {"volumes": [[first[0], True, *first[2:]], *volumes]},
        {"volumes": [{"name": "data"}, *volumes]},
        {"history": [*eras, [*last[:2], "11" * 16, last[3]]]},
        {"history": [*eras, [*last[:2], -2, last[3]]]},
        {"history": [*eras, [*last[:2], 2, last[3]]]},
        {"segments": [[1, 2, 3]]},
        {"replica": 7},
        {"group": msgspec.msgpack.Ext(5, b"x")},
    ]
    for change in changes:
        assert refused(sealed(packed(fields | change))) == "version", change
    for name in fields:
        less = {key: value for key, value in fields.items() if key != name}
        assert refused(sealed(packed(less))) == "version", name


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80",
        b"\xc0",
        b"\x81\xa5group\xa2\xff\xfe",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1x" + b"\x91" * 16_000,
    ],
)
def test_an_intact_body_that_is_no_superblock_is_refused(body: bytes, version: int) -> None:
    """Whatever wrote it knew another format."""
    assert refused(sealed(body, version=version)) == "version"


def test_an_enum_value_of_a_later_release_is_refused() -> None:
    """A role that this release does not know cannot be played."""
    body = body_of(superblock.encode_superblock(samples.SUPERBLOCK))
    assert refused(sealed(body.replace(b"secondary", b"arbitrate"))) == "version"


def test_header_and_body_must_name_the_same_generation() -> None:
    """The newest generation wins, so it must not be in doubt."""
    body = body_of(superblock.encode_superblock(samples.SUPERBLOCK))
    assert refused(sealed(body, generation=1031)) == "identity"


@pytest.mark.parametrize("body_bytes", [16384 - 24 + 1, 2**32 - 1])
def test_a_length_beyond_the_slot_is_refused(body_bytes: int) -> None:
    """Before the checksum is taken over it."""
    header = superblock._HEADER.pack(superblock.MAGIC, superblock.VERSION, SLOT, body_bytes, 1027)
    assert refused(header + bytes(superblock.SLOT_BYTES * 2)) == "length"


def test_a_superblock_that_does_not_fit_is_not_written() -> None:
    """It would run into the next slot."""
    with pytest.raises(FormatError) as refusal:
        superblock.encode_superblock(attrs.evolve(samples.SUPERBLOCK, failure="x" * 16384))
    assert refusal.value.what == "length"
