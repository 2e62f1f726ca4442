"""A batch of records ends in the same bytes as the records one after the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec.log_frame import Record, RecordKind
from srshell.engine.batch import Batch

BLOCK = 4096
#: The last block is short, and the volume small, so that records meet in one block.
SIZE_BYTES = 6 * BLOCK + 512


def record(kind: RecordKind, offset: int, length: int, byte: int) -> Record:
    payload = bytes([byte]) * length if kind is RecordKind.WRITE else b""
    return Record(byte, kind, 0, offset, length, payload)


def write(block: int, byte: int, blocks: int = 1) -> Record:
    return record(RecordKind.WRITE, block * BLOCK, blocks * BLOCK, byte)


def batch_of(*records: Record, size_bytes: int = SIZE_BYTES) -> Batch:
    batch = Batch(size_bytes)
    for one in records:
        batch.add(one)
    return batch


def carried_out(batch: Batch, before: bytes) -> bytes:
    """What a volume holds afterwards."""
    volume = bytearray(before)
    for offset, length in batch.holes():
        volume[offset : offset + length] = bytes(length)
    for made in batch.writes():
        volume[made.offset : made.offset + made.length] = b"".join(made.buffers)
    assert len(volume) == len(before)
    return bytes(volume)


def one_after_the_other(records: list[Record], before: bytes) -> bytes:
    volume = bytearray(before)
    for one in records:
        content = one.payload if one.kind is RecordKind.WRITE else bytes(one.length)
        volume[one.offset : one.offset + one.length] = content
    return bytes(volume)


LENGTHS = (1, 100, 512, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7, SIZE_BYTES)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from((RecordKind.WRITE, RecordKind.WRITE, RecordKind.ZERO, RecordKind.TRIM)),
        st.one_of(st.integers(0, SIZE_BYTES - 1), st.sampled_from(range(0, SIZE_BYTES, BLOCK))),
        st.sampled_from(LENGTHS),
    ),
    max_size=12,
)


@given(CHANGES)
def test_holes_and_writes_end_in_the_same_bytes(changes: list[tuple[RecordKind, int, int]]) -> None:
    records = [
        record(kind, offset, min(length, SIZE_BYTES - offset), number)
        for number, (kind, offset, length) in enumerate(changes, 1)
    ]
    before = b"\xee" * SIZE_BYTES
    assert carried_out(batch_of(*records), before) == one_after_the_other(records, before)


def test_a_block_that_was_written_often_is_written_once() -> None:
    batch = batch_of(*(write(2, byte) for byte in range(1, 100)))
    (made,) = batch.writes()
    assert (made.offset, made.length, made.buffers[0]) == (2 * BLOCK, BLOCK, bytes([99]) * BLOCK)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([write(1, 1), write(0, 2, 2)], id="one block, then more"),
        pytest.param([write(0, 1, 2), write(1, 2)], id="some blocks, then one of them"),
        pytest.param([write(0, 1, 2), write(1, 2, 2), write(0, 3, 2)], id="side by side"),
        pytest.param(
            [write(0, 1, 3), write(0, 2, 2), write(3, 3, 2), write(4, 4)],
            id="one too few, one too many",
        ),
    ],
)
def test_payloads_that_overlap_end_as_the_last_of_them_says(records: list[Record]) -> None:
    before = bytes(SIZE_BYTES)
    assert carried_out(batch_of(*records), before) == one_after_the_other(records, before)


def test_blocks_go_in_the_order_of_places_and_those_that_touch_are_one_write() -> None:
    batch = batch_of(write(4, 1), write(0, 2), write(3, 3), write(1, 4))
    assert [(made.offset, made.length) for made in batch.writes()] == [
        (0, 2 * BLOCK),
        (3 * BLOCK, 2 * BLOCK),
    ]


def test_a_payload_of_many_blocks_is_one_buffer() -> None:
    """Also where it takes the place of one as long, or comes after a trim."""
    trim = record(RecordKind.TRIM, 0, 6 * BLOCK, 1)
    batch = batch_of(trim, write(2, 2, 4), write(2, 3, 4), write(1, 4))
    assert [len(buffer) for made in batch.writes() for buffer in made.buffers] == [BLOCK, 4 * BLOCK]
    assert carried_out(batch, b"x" * SIZE_BYTES)[2 * BLOCK] == 3


def test_parts_that_follow_each_other_are_one_write() -> None:
    """As those of a program that appends little by little."""
    parts = [record(RecordKind.WRITE, offset, 512, 7) for offset in range(0, 2 * BLOCK + 512, 512)]
    (made,) = batch_of(*parts).writes()
    assert (made.offset, made.length) == (0, 2 * BLOCK + 512)


def test_no_write_is_longer_than_64_kib() -> None:
    """A page cache of large folios makes later small writes dear."""
    blocks = range(40)
    batch = batch_of(*(write(block, 1) for block in blocks), size_bytes=len(blocks) * BLOCK)
    assert [made.length // BLOCK for made in batch.writes()] == [16, 16, 8]


def test_holes_that_touch_or_overlap_are_one() -> None:
    trims = [record(RecordKind.TRIM, block * BLOCK, 2 * BLOCK, 1) for block in (3, 0, 1)]
    assert batch_of(*trims).holes() == [(0, 5 * BLOCK)]
    assert batch_of(record(RecordKind.ZERO, 5 * BLOCK, BLOCK + 512, 1)).holes() == [
        (5 * BLOCK, BLOCK + 512)
    ]
