"""Bugs planted on purpose: what the simulator is worth is what it catches.

Always true:

(1) Outside of `Mutant.planted` the engine is the shipped one.
(2) Each mutant breaks one rule that a docstring of the engine states, and nothing else.
(3) `hunt` names the seed or the crash point that catches a mutant; a mutant that survives is a hole
    in the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Final

import attrs

from srshell.simulation import mutations as m
from srshell.simulation.episode import Failure, run_seed
from srshell.simulation.mutations import Change
from srshell.simulation.sweep import SCRIPTS, crash_points, run_point


@attrs.frozen
class Mutant:
    """One planted bug."""

    name: str
    #: The rule that it breaks, as a sentence.
    breaks: str
    changes: Callable[[], list[Change]] = attrs.field(repr=False)
    #: Seeds that caught it before, tried first.
    seeds: tuple[int, ...] = ()

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run the block with the bug in the engine."""
        with ExitStack() as stack:
            for owner, name, value in self.changes():
                stack.enter_context(_replaced(owner, name, value))
            yield


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def hunt(mutant: Mutant, *, seeds_max: int = 80, points_max: int = 160) -> str:
    """Return what catches the mutant, with the promise that it broke; empty when nothing does."""
    with mutant.planted():
        for seed in dict.fromkeys((*mutant.seeds, *range(seeds_max))):
            try:
                run_seed(seed)
            except Failure as failure:
                return str(failure).partition("\n")[0]
        for script in SCRIPTS:
            for point in islice(crash_points(script), 0, None, max(1, 1200 // points_max)):
                try:
                    run_point(point)
                except Failure as failure:
                    return str(failure).partition("\n")[0]
    return ""


MUTANTS: Final = (
    Mutant("ack-without-peer", "an acknowledged write is in both logs", m.ack_without_the_peer),
    Mutant(
        "log-without-sync",
        "a write is durable before it is acknowledged",
        m.log_without_sync,
    ),
    Mutant(
        "confirm-on-receipt",
        "nothing is confirmed before it is durable",
        m.confirm_on_receipt,
    ),
    Mutant(
        "alone-in-memory",
        "alone is durable before the first solo ack",
        m.go_alone_in_memory,
    ),
    Mutant("dirty-read", "reads show what is acknowledged", m.read_what_is_not_acknowledged),
    Mutant("one-salt", "a new segment has a new salt", m.one_salt_for_ever),
    Mutant("cut-without-segment", "a cut log goes on in a new segment", m.cut_without_a_segment),
    Mutant(
        "checkpoint-unsynced",
        "volumes are synced before a checkpoint",
        m.checkpoint_without_sync,
    ),
    Mutant(
        "synced-too-early",
        "a sync covers only writes that had ended",
        m.count_a_write_as_synced_before_it_ended,
    ),
    Mutant(
        "space-too-early",
        "log space is reused after the superblock",
        m.reuse_space_before_the_superblock,
    ),
    Mutant("one-slot", "the superblock has more than one slot", m.one_superblock_slot),
    Mutant("retried-sync", "a failed sync is never tried again", m.retry_a_failed_sync),
    Mutant("trusted-cache", "what a dead process wrote is synced first", m.trust_the_page_cache),
    Mutant("forgotten-crash", "a crashed primary asks its peer first", m.forget_the_crash),
    Mutant(
        "applied-too-early",
        "only committed records are applied",
        m.apply_what_is_not_committed,
    ),
    Mutant(
        "early-answer",
        "a fence is durable before it is answered",
        m.answer_before_it_is_durable,
    ),
    Mutant(
        "false-evidence",
        "the secondary knows that the primary may be alone",
        m.forget_that_the_primary_may_be_alone,
    ),
    Mutant(
        "bits-too-early",
        "a bit is cleared after the peer is durable",
        m.clear_bits_before_the_peer_is_durable,
    ),
    Mutant("copy-without-lock", "an extent is copied under its lock", m.copy_without_the_lock),
    Mutant("old-holes", "a hole is still one when it is sent", m.believe_in_old_holes),
    Mutant(
        "unmarked-overrun",
        "blocks are marked before their records go",
        m.overrun_without_marks,
    ),
    Mutant("unwritten-marks", "marks are durable before records go", m.mark_in_memory),
    Mutant(
        "forgotten-records",
        "the log keeps what the peer lacks",
        m.forget_records_that_the_peer_lacks,
    ),
    Mutant(
        "dropped-writes",
        "writes acknowledged alone are never dropped",
        m.drop_what_was_acknowledged_alone,
    ),
    Mutant("untold-policy", "the peer knows the rules first", m.change_the_rules_untold),
    Mutant("stuck-seal", "a seal ends", m.forget_a_seal),
    # Bugs that the simulator found in the engine while it was written.
    Mutant("half-way", "a role change goes to its end", m.stop_a_role_change_half_way),
    Mutant("lost-question", "every question is answered", m.forget_the_first_of_two_questions),
    Mutant("lost-write", "no write is silently dropped", m.forget_writes_on_their_way),
    Mutant("asleep", "who waits for memory is woken", m.wait_for_memory_for_ever),
    Mutant("old-checkpoint", "a checkpoint ends in its own log", m.checkpoint_across_a_new_log),
    Mutant("half-refused", "a refused write did not happen", m.refuse_a_half_made_write),
)
