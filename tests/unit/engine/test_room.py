"""What a group could come to in its superblock is known before anything of it is made."""

from __future__ import annotations

import string

import attrs
import pytest

from srshell.codec.superblock import SLOT_BYTES, encode_superblock
from srshell.engine import room
from srshell.engine.core import FAILURE_CHARACTERS_MAX
from srshell.engine.recovery import SEGMENTS_MAX
from srshell.engine.room import check_room, check_room_of_group
from srshell.model.errors import SrError
from srshell.model.identity import NAME_LENGTH_MAX
from srshell.model.replica import (
    VOLUMES_MAX,
    Epoch,
    Era,
    ReplicaVolume,
    Segment,
    Superblock,
    VolumeLayout,
)
from srshell.replication.reigns import HISTORY_LIMIT
from tests.unit.codec.samples import SUPERBLOCK

NAME = "n" * NAME_LENGTH_MAX
#: As long as a path can be, without the volume's name.
DIRECTORY = "/" + "d" * (4095 - 2 - NAME_LENGTH_MAX)
NUMBER = 2**63 - 1
PAGES = 2**32 - 1
PIB = 1 << 50
HALF = HISTORY_LIMIT // 2


def names(count: int) -> list[str]:
    """Return names of the greatest length, with nothing in common that could be left out."""
    letters = string.ascii_letters + string.digits
    return [
        (letters[n % 62] * 2 + letters[n // 62]).ljust(64, letters[-n % 62]) for n in range(count)
    ]


def volumes(count: int, directory: str = DIRECTORY) -> list[ReplicaVolume]:
    """Return volumes as large as they are promised to fit."""
    return [ReplicaVolume(name, f"{directory}/{name}", PIB, 65535) for name in names(count)]


def worst(count: int) -> Superblock:
    """Return a superblock whose every field is as long as it becomes in life."""
    sides = ("1" * 32, "2" * 32)
    return attrs.evolve(
        SUPERBLOCK,
        generation=NUMBER,
        partnership="3" * 32,
        replica=sides[0],
        peer=sides[1],
        group=NAME,
        peer_group=NAME,
        array=NAME,
        peer_array=NAME,
        peer_address="tcp://" + "h" * 253 + ":65535",
        volumes=tuple(
            VolumeLayout(v.name, v.path, v.size_bytes, v.block_bytes, NUMBER, PAGES, NUMBER, PAGES)
            for v in volumes(count)
        ),
        ring_offset=NUMBER,
        ring_bytes=NUMBER,
        history=tuple(Era(Epoch(NUMBER, NUMBER, side), NUMBER) for side in sides * HALF),
        segments=(Segment(NUMBER, NUMBER, NUMBER, 2**32 - 1),) * SEGMENTS_MAX,
        head_lsn=NUMBER,
        head_position=NUMBER,
        checkpoint_lsn=NUMBER,
        durable_lsn=NUMBER,
        confirmed_lsn=NUMBER,
        promised_epoch=NUMBER,
        base_lsn=NUMBER,
        owner_term=NUMBER,
        failure="\U0010ffff" * FAILURE_CHARACTERS_MAX,
    )


def test_the_longest_superblock_of_the_largest_group_fits_its_slot() -> None:
    """The longest names, the longest path, and all that years of role changes and crashes add."""
    assert len(encode_superblock(worst(VOLUMES_MAX))) <= SLOT_BYTES
    check_room(worst(VOLUMES_MAX))


def test_as_many_volumes_as_are_possible_fit_whatever_their_directory_is() -> None:
    """Before anything of the other side is known."""
    check_room_of_group(NAME, NUMBER, volumes(VOLUMES_MAX))


def test_one_volume_more_is_refused_however_short_its_name_is() -> None:
    """One number is the limit, not a sum that nobody can do in the head."""
    many = [ReplicaVolume(str(n), f"/p/{n}", 4096, 4096) for n in range(VOLUMES_MAX + 1)]
    check_room_of_group("g", 1 << 20, many[:-1])
    with pytest.raises(SrError, match="SR2016") as refusal:
        check_room_of_group("g", 1 << 20, many)
    assert refusal.value.facts == "it has 65 data volumes, at most 64 are possible"


def test_many_long_directories_are_refused_with_what_they_come_to() -> None:
    """Each costs its length; three of the longest are too much."""
    many = [ReplicaVolume(f"v{n}", f"/{n}{DIRECTORY}/v{n}", 4096, 4096) for n in range(3)]
    check_room_of_group("g", 1 << 20, many[:2])
    with pytest.raises(SrError, match="SR2016") as refusal:
        check_room_of_group("g", 1 << 20, many)
    assert "bytes, 16384 are possible; the longest path has 40" in refusal.value.facts


@pytest.mark.parametrize("field", attrs.fields(Superblock), ids=lambda field: field.name)
def test_nothing_grows_beyond_what_was_counted(field: attrs.Attribute[object]) -> None:
    """Whatever field is as long as it becomes, the superblock is no longer than was foreseen."""
    last = worst(1)
    fresh = attrs.evolve(
        last, generation=1, head_lsn=1, head_position=0, head_chain=0, history=(), segments=(),
        checkpoint_lsn=0, durable_lsn=0, confirmed_lsn=0, promised_epoch=0, base_lsn=0, copy_id="",
        lost_unix=0.0, alone_first_unix=0.0, alone_last_unix=0.0, owner_term=0, operation="",
        failure="",
    )  # fmt: skip
    foreseen = room._grown(fresh)
    became = attrs.evolve(foreseen, **{field.name: getattr(last, field.name)})
    assert len(encode_superblock(became)) <= len(encode_superblock(foreseen))
