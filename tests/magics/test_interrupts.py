"""Interrupts of a command: real signals at chosen moments."""

import signal
import threading
from collections.abc import Callable

import pytest

from srshell_magics.interrupts import Interrupts


def _press() -> None:
    signal.raise_signal(signal.SIGINT)


def _press_and(then: Callable[[], object]) -> None:
    """Whatever becomes of the first."""
    try:
        _press()
    finally:
        then()


def test_one_within_a_block_ends_it_at_once() -> None:
    """As everywhere in Python."""
    interrupts = Interrupts()
    with interrupts.held(), pytest.raises(KeyboardInterrupt), interrupts.raised():
        _press()


def test_one_between_two_blocks_ends_the_second_before_it_begins() -> None:
    """A sentence between them is said to its end."""
    interrupts = Interrupts()
    reached = []
    with interrupts.held():
        _press()
        reached.append("between")
        with pytest.raises(KeyboardInterrupt), interrupts.raised():
            reached.append("in the block")
    assert reached == ["between"]


def test_each_counts_once() -> None:
    """The second one that came fast is not lost, and ends one block more."""
    interrupts = Interrupts()
    ended = 0
    with interrupts.held():
        _press()
        _press()
        for _ in range(3):
            try:
                with interrupts.raised():
                    pass
            except KeyboardInterrupt:
                ended += 1
    assert ended == 2


def test_a_block_that_was_ended_from_within_lets_the_next_signal_wait() -> None:
    """The way out of a block is no place for a second one."""
    interrupts = Interrupts()
    with interrupts.held():
        with pytest.raises(KeyboardInterrupt), interrupts.raised():
            _press_and(_press)
        with pytest.raises(KeyboardInterrupt), interrupts.raised():
            pass


def test_one_that_was_never_raised_is_raised_at_the_end() -> None:
    """Who interrupts a run of many cells means the next ones, too."""
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        _press()


def test_an_error_goes_before_one_that_waits_and_forgotten_ones_are_gone() -> None:
    """The error says more."""
    interrupts = Interrupts()
    with pytest.raises(ValueError, match="more"), interrupts.held():
        _press_and(lambda: int("more"))
    interrupts.forget()
    with interrupts.held():
        pass


def test_the_handler_of_before_is_put_back_and_one_that_ignores_is_left() -> None:
    """Whoever started this in the background does not want to hear of the terminal's Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    with Interrupts().held():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts().held():
            _press()
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_is_taken_charge_of() -> None:
    """Python tells the main thread alone."""
    seen = []

    def work() -> None:
        with Interrupts().held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
