"""Superblock slots: four of them, none believed unless all of it is right."""

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec import superblock
from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from srshell.model.replica import Epoch, Era, Segment, Superblock, VolumeLayout
from tests.unit.codec import samples

NUMBERS = st.integers(0, 2**64 - 1)
TEXT = st.text(max_size=64)
VOLUMES = st.builds(VolumeLayout, TEXT, TEXT, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
SLOT = superblock.slot_of(samples.SUPERBLOCK.generation)


def sealed(body: bytes, *, version: int = 1, slot: int = SLOT, generation: int = 1027) -> bytes:
    """Return a slot with the right checksum, whatever else it says."""
    header = superblock._HEADER.pack(superblock.MAGIC, version, slot, len(body), generation)
    return header + crc32(body, crc32(header)).to_bytes(4, "little") + body


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
        volumes=st.lists(VOLUMES, max_size=4).map(tuple),
        history=st.lists(
            st.builds(Era, st.builds(Epoch, NUMBERS, NUMBERS, TEXT), NUMBERS), max_size=8
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
    assert refused(sealed(b"\x80", version=2)) == "version"
    same = superblock.encode_superblock(samples.SUPERBLOCK)
    size_bytes = int.from_bytes(same[8:12], "little")
    body = same[superblock.HEADER_BYTES :][:size_bytes]
    assert refused(sealed(body, version=2, generation=samples.SUPERBLOCK.generation)) == "version"
    damaged = bytearray(sealed(b"\x80", version=2))
    damaged[-1] ^= 1
    assert refused(bytes(damaged)) == "checksum"


def test_an_unknown_field_is_refused() -> None:
    """It would be lost at the next write, and it may be what keeps the data safe."""
    known = superblock.encode_superblock(samples.SUPERBLOCK)[superblock.HEADER_BYTES :]
    size = int.from_bytes(superblock.encode_superblock(samples.SUPERBLOCK)[8:12], "little")
    fields = msgspec.msgpack.decode(known[:size])
    assert refused(sealed(msgspec.msgpack.encode(fields | {"witness": 1}))) == "version"


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
def test_an_intact_body_that_is_no_superblock_is_refused(body: bytes) -> None:
    """Whatever wrote it knew another format."""
    assert refused(sealed(body)) == "version"


def test_an_enum_value_of_a_later_release_is_refused() -> None:
    """A role that this release does not know cannot be played."""
    data = superblock.encode_superblock(samples.SUPERBLOCK)
    size = int.from_bytes(data[8:12], "little")
    body = data[superblock.HEADER_BYTES :][:size].replace(b"secondary", b"arbitrate")
    assert refused(sealed(body)) == "version"


def test_header_and_body_must_name_the_same_generation() -> None:
    """The newest generation wins, so it must not be in doubt."""
    data = superblock.encode_superblock(samples.SUPERBLOCK)
    size = int.from_bytes(data[8:12], "little")
    body = data[superblock.HEADER_BYTES :][:size]
    assert refused(sealed(body, generation=1031)) == "identity"


@pytest.mark.parametrize("body_bytes", [16384 - 24 + 1, 2**32 - 1])
def test_a_length_beyond_the_slot_is_refused(body_bytes: int) -> None:
    """Before the checksum is taken over it."""
    header = superblock._HEADER.pack(superblock.MAGIC, 1, SLOT, body_bytes, 1027)
    assert refused(header + bytes(superblock.SLOT_BYTES * 2)) == "length"


def test_a_superblock_that_does_not_fit_is_not_written() -> None:
    """It would run into the next slot."""
    with pytest.raises(FormatError) as refusal:
        superblock.encode_superblock(attrs.evolve(samples.SUPERBLOCK, failure="x" * 16384))
    assert refusal.value.what == "length"


def test_the_largest_superblock_of_a_group_fits_its_slot() -> None:
    """32 eras, 8 segments, and 16 volumes with long paths."""
    epoch = Epoch(2**63 - 1, 2**64 - 1, "a" * 64)
    value = attrs.evolve(
        samples.SUPERBLOCK,
        history=(Era(epoch, 2**63 - 1),) * 32,
        segments=(Segment(2**63 - 1, 2**63 - 1, 2**64 - 1, 2**32 - 1),) * 8,
        volumes=(VolumeLayout("v" * 64, "/" + "p" * 254, 2**62, 4096, 2**62, 2**31),) * 16,
    )
    assert len(superblock.encode_superblock(value)) <= superblock.SLOT_BYTES
