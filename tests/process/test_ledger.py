"""The ledger finds what a crash may not do: the judge is tried before it judges."""

from tests.process.ledger import UNIT_BYTES, Entry, Ledger, Outcome


def write(ledger: Ledger, first_unit: int = 0, outcome: Outcome = Outcome.ACKNOWLEDGED) -> Entry:
    entry = ledger.begin(first_unit, 2)
    ledger.end(entry, outcome)
    return entry


def test_the_newest_acknowledged_write_is_right() -> None:
    ledger = Ledger()
    write(ledger)
    second = write(ledger)
    assert ledger.problems(second.payload()) == []


def test_an_acknowledged_write_that_is_gone_is_found() -> None:
    """One problem for each unit of it."""
    ledger = Ledger()
    write(ledger)
    assert len(ledger.problems(bytes(2 * UNIT_BYTES))) == 2


def test_a_write_that_was_replaced_and_came_back_is_found() -> None:
    """A stale record of the log that is applied again, for one."""
    ledger = Ledger()
    first = write(ledger)
    write(ledger)
    assert len(ledger.problems(first.payload())) == 2


def test_a_torn_write_is_found() -> None:
    ledger = Ledger()
    torn = bytearray(write(ledger).payload())
    torn[100] ^= 1
    assert len(ledger.problems(bytes(torn))) == 1


def test_a_write_in_the_wrong_place_is_found() -> None:
    ledger = Ledger()
    entry = write(ledger)
    payload = entry.payload()
    assert len(ledger.problems(payload[UNIT_BYTES:] + payload[:UNIT_BYTES])) == 2


def test_of_writes_at_the_same_time_any_may_be_the_last() -> None:
    ledger = Ledger()
    first, second = ledger.begin(0, 2), ledger.begin(0, 2)
    ledger.end(second, Outcome.ACKNOWLEDGED)
    ledger.end(first, Outcome.ACKNOWLEDGED)
    assert ledger.problems(first.payload()) == []
    assert ledger.problems(second.payload()) == []


def test_a_write_of_unknown_outcome_may_be_there_until_it_is_replaced() -> None:
    ledger = Ledger()
    first = write(ledger)
    unknown = write(ledger, outcome=Outcome.UNKNOWN)
    assert ledger.problems(first.payload()) == []
    assert ledger.problems(unknown.payload()) == []
    write(ledger)
    assert len(ledger.problems(unknown.payload())) == 2


def test_a_refused_write_that_is_there_is_found() -> None:
    """Refused means that nothing was done."""
    ledger = Ledger()
    first = write(ledger)
    refused = write(ledger, outcome=Outcome.REFUSED)
    assert ledger.problems(first.payload()) == []
    assert len(ledger.problems(refused.payload())) == 2


def test_a_trimmed_unit_reads_as_zeros() -> None:
    ledger = Ledger()
    first = write(ledger)
    trim = ledger.begin(0, 2, trim=True)
    ledger.end(trim, Outcome.ACKNOWLEDGED)
    assert ledger.problems(bytes(2 * UNIT_BYTES)) == []
    assert len(ledger.problems(first.payload())) == 2


def test_a_frozen_writer_may_still_be_heard() -> None:
    """A call that a stopped process has not read yet is carried out when it goes on."""
    ledger = Ledger()
    entry = ledger.begin(0, 2)
    ledger.end(entry, Outcome.UNKNOWN, still_possible=True)
    write(ledger)
    assert ledger.problems(entry.payload()) == []


def test_two_futures_of_one_past_are_told_apart() -> None:
    """Both sides of a split brain hold what was there before, and neither what the other wrote."""
    ledger = Ledger()
    common = write(ledger)
    kept, lost = ledger.fork(100), ledger.fork(200)
    mine, theirs = write(kept), write(lost)
    assert kept.problems(mine.payload()) == []
    assert len(kept.problems(theirs.payload())) == 2
    assert len(lost.problems(common.payload())) == 2
    assert ledger.problems(common.payload()) == []
