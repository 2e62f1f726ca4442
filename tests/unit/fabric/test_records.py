"""Records, ledgers and what a comparison of the two proves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.fabric.records import (
    SLOT_BYTES,
    MachineRecord,
    audit,
    decode_record,
    decode_rows,
    encode_record,
    encode_rows,
)

STREAM = b"s" * 16
OTHER = b"o" * 16


@given(st.integers(0, 2**64 - 1))
def test_a_record_reads_back(sequence: int) -> None:
    """It fills its slot, and carries stream and number."""
    slot = encode_record(STREAM, sequence, 5.0)
    assert len(slot) == SLOT_BYTES
    assert decode_record(slot) == MachineRecord(STREAM, sequence, 5.0)


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    """Half a record, or a rotten one, is no record."""
    slot = bytearray(encode_record(STREAM, 7, 5.0))
    for position in range(0, SLOT_BYTES, 61):
        slot[position] ^= 1
        assert decode_record(bytes(slot)) is None
        slot[position] ^= 1
    assert decode_record(bytes(slot[:2048]) + bytes(2048)) is None


@given(st.lists(st.integers(0, 2**63)), st.integers(0, 15))
def test_a_torn_ledger_ends_before_the_tear(sequences: list[int], torn_bytes: int) -> None:
    """A row that was not written whole claims nothing."""
    rows = encode_rows(sequences)
    assert list(decode_rows(rows + b"\x01" * torn_bytes)) == sequences


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        ({0: (STREAM, 0), 1: (STREAM, 1)}, 0),
        ({0: (STREAM, 4), 1: (STREAM, 1)}, 0),  # overwritten by a later one of the same stream
        ({0: (STREAM, 0)}, 1),
        ({0: (STREAM, 0), 1: (STREAM, 2)}, 1),  # in the wrong slot
        ({0: (STREAM, 0), 1: (OTHER, 1)}, 1),  # the same number, given out again after a loss
        ({0: (STREAM, 0), 1: (OTHER, 5)}, 0),
    ],
)
def test_an_audit_counts_what_is_missing(held: dict[int, tuple[bytes, int]], missing: int) -> None:
    """Two acknowledged records in four slots."""
    slots = [
        MachineRecord(held[index][0], held[index][1], 0.0) if index in held else None
        for index in range(4)
    ]
    found = audit(STREAM, [0, 1], slots)
    assert (found.acknowledged, found.missing) == (2, missing)
    assert (found.first_missing is None) == (missing == 0)
