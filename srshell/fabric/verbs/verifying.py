"""Verify a group: part by part, from where the last one ended, now and then by itself.

Always true:

(1) What was found so far and where to go on is in the catalogue after every part: a job that is
    cancelled, an owner or a site that ends costs one part.
(2) A verification takes no lock that a role change needs; one that meets a group out of step ends,
    and the next one goes on from there.
(3) Only a verification that went to its end is the last one that status tells of.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import attrs

from srshell.fabric.calls import unreadable
from srshell.fabric.change import Change, check_rows, steps
from srshell.fabric.checks import check_verify, resolve_direction
from srshell.fabric.checks_roles import Direction
from srshell.fabric.context import Context
from srshell.fabric.jobs import JobHandle
from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.geometry import MIB, format_size, parse_size
from srshell.model.report import Verification, VerificationStatus
from srshell.model.states import ReplicationState
from srshell.model.verification import Compared, VerifyOrder, VerifyState, joined

if TYPE_CHECKING:
    from srshell.fabric.session import FabricSession

LOG = logging.getLogger(__name__)

#: What is verified between two looks at whether to stop, in bytes.
_PART_BYTES: Final = 64 * MIB
_PART_BYTES_MIN: Final = MIB
#: How long a part takes at most when a rate is wanted, in seconds.
_PART_SECONDS: Final = 2.0
#: How often the owner looks for verifications that are due, in seconds.
_LOOK_SECONDS: Final = 10.0
#: After an attempt that failed the owner waits so long, in seconds.
_RETRY_SECONDS: Final = 300.0
HOUR_SECONDS: Final = 3600.0
_HOURS_MAX: Final = 24 * 366


async def verify(
    context: Context, *, group: str, repair: bool, rate: int | str | None, restart: bool
) -> Change:
    """Compare both sides of a group, from where the last verification ended."""
    view = await context.fresh_view()
    verdict = check_verify(view, group).enforce()
    way = resolve_direction(view, group)
    bytes_per_second = parse_rate(rate)
    before = state_of(context, way.partnership.partnership)
    goes_on = before.found is not None and not restart and before.repair == repair
    state = before if goes_on else attrs.evolve(before, found=None, began_unix=0.0)
    state = attrs.evolve(state, repair=repair, bytes_per_second=bytes_per_second)
    sizes_bytes = _sizes(context, way)
    done_bytes = _done_bytes(state.found, sizes_bytes)

    async def carry_out(handle: JobHandle) -> Verification:
        with handle.step("compare"):
            return await _run(context, handle, way, state)

    words = f" {'and mend ' if repair else ''}{format_size(sum(sizes_bytes))}"
    begin = f", from {format_size(done_bytes)} on" if done_bytes else ""
    return Change(
        f"verify {group}{' --repair' if repair else ''}",
        way.primary,
        steps(("compare", f"compare{words} of {way.primary} with {way.target}{begin}")),
        carry_out,
        exclusive=_lock(way.partnership.partnership),
        checks=check_rows(verdict),
    )


def parse_rate(rate: int | str | None) -> float:
    """Return bytes per second; 0 for as fast as it goes.

    Raises:
        SrError: SR0004, it is no size.
    """
    if rate is None or rate == 0:
        return 0.0
    text = rate.removesuffix("/s") if isinstance(rate, str) else rate
    return float(parse_size(text))


def _lock(partnership: str) -> str:
    return f"verify {partnership}"


def state_of(context: Context, partnership: str) -> VerifyState:
    """What is remembered of the verifications of a partnership."""
    return context.verifications.get(partnership) or VerifyState(partnership)


def remember(context: Context, state: VerifyState) -> None:
    """Keep what is to be remembered, durably."""
    context.verifications[state.partnership] = state
    context.put(state)


def forget_verifications(context: Context, partnership: str) -> None:
    """A partnership has ended."""
    if context.verifications.pop(partnership, None) is not None:
        context.remove(VerifyState, partnership)


def _sizes(context: Context, way: Direction) -> list[int]:
    """The sizes of the volumes that are compared, in the order of the replica."""
    report = context.view().report(way.primary)
    return [layout.size_bytes for layout in report.volumes] if report else []


def _done_bytes(found: Compared | None, sizes_bytes: list[int]) -> int:
    """How much was looked at before the place where a verification goes on."""
    if found is None:
        return 0
    return sum(sizes_bytes[: found.next_volume]) + found.next_offset


async def _run(
    context: Context, handle: JobHandle, way: Direction, state: VerifyState
) -> Verification:
    """Verify part by part, until the end or until somebody asks to stop."""
    began = context.clock.monotonic()
    sizes_bytes = _sizes(context, way)
    state = attrs.evolve(
        state,
        found=state.found or Compared(),
        began_unix=state.began_unix or context.clock.unix(),
        tried_unix=context.clock.unix(),
    )
    remember(context, state)
    limit_bytes = _part_bytes(state.bytes_per_second)
    while state.found is not None and not state.found.done:
        handle.progress(_done_bytes(state.found, sizes_bytes), sum(sizes_bytes))
        handle.checkpoint()
        order = VerifyOrder(
            volume=state.found.next_volume,
            offset=state.found.next_offset,
            limit_bytes=limit_bytes,
            bytes_per_second=state.bytes_per_second,
            repair=state.repair,
        )
        part = await context.site(way.from_array).verify(way.partnership.partnership, order)
        # Somebody may have changed the schedule meanwhile.
        state = attrs.evolve(
            state_of(context, state.partnership), found=joined(state.found, part),
            repair=state.repair, bytes_per_second=state.bytes_per_second,
        )  # fmt: skip
        remember(context, state)
    found = state.found
    assert found is not None
    remember(
        context,
        attrs.evolve(state, found=None, last=found, last_unix=context.clock.unix()),
    )
    _tell(context, way.primary, found)
    return _report(way.primary, found, context.clock.monotonic() - began)


def _part_bytes(bytes_per_second: float) -> int:
    if not bytes_per_second:
        return _PART_BYTES
    return min(_PART_BYTES, max(_PART_BYTES_MIN, int(bytes_per_second * _PART_SECONDS)))


def _tell(context: Context, group: str, found: Compared) -> None:
    """Write what came of it into the journal."""
    say = context.journal.say
    if found.repaired_blocks:
        say("SR7705", group, group=group, blocks=found.repaired_blocks)
    if found.clean:
        say("SR7701", group, group=group)
    if found.damaged_places:
        facts = "; ".join(f"{side}: {text}" for side, text in found.damage[:3])
        say("SR7704", group, facts, group=group, count=found.damaged_places)
    if found.wrong_blocks or found.log_differences:
        first = next((row for row in found.ranges if not row.repaired), None)
        facts = f"{first.volume} at {first.offset}: wrong is {first.wrong}" if first else ""
        say("SR7702", group, facts, group=group, blocks=found.wrong_blocks)


def _report(group: str, found: Compared, seconds: float) -> Verification:
    """What a person is told of a verification."""
    return Verification(
        equal=found.equal,
        blocks_compared=found.blocks_compared,
        differing_blocks=found.differing_blocks,
        log_records_compared=found.log_records_compared,
        log_differences=found.log_differences,
        lsn=found.lsn,
        group=group,
        differing_ranges=tuple((row.volume, row.offset, row.length) for row in found.ranges),
        seconds=seconds,
        clean=found.clean,
        wrong_source_blocks=found.wrong_source_blocks,
        wrong_destination_blocks=found.wrong_destination_blocks,
        undecided_blocks=found.undecided_blocks,
        repaired_blocks=found.repaired_blocks,
        ranges=tuple(found.ranges),
        damage=tuple(f"{side}: {text}" for side, text in found.damage),
        past_cache=found.past_cache,
    )


# --- status --------------------------------------------------------------------------------------


def verification_of(context: Context, group: str) -> VerificationStatus | None:
    """What status tells of the verifications of a group; None before there was any."""
    partnership = context.snapshot.partnership_of(group)
    state = context.verifications.get(partnership.partnership) if partnership else None
    if partnership is None or state is None:
        return None
    report = context.view().report(group)
    sizes_bytes = [layout.size_bytes for layout in report.volumes] if report else []
    last, now = state.last, context.clock.unix()
    return VerificationStatus(
        running=_lock(partnership.partnership) in context.busy,
        done_bytes=None if state.found is None else _done_bytes(state.found, sizes_bytes),
        total_bytes=sum(sizes_bytes),
        every_hours=state.every_seconds / HOUR_SECONDS if state.every_seconds else None,
        last_unix=state.last_unix,
        age_seconds=None if state.last_unix is None else max(0.0, now - state.last_unix),
        clean=None if last is None else last.clean,
        wrong_blocks=0 if last is None else last.wrong_blocks,
        repaired_blocks=0 if last is None else last.repaired_blocks,
        damaged_places=0 if last is None else last.damaged_places,
        overdue_seconds=_overdue_seconds(state, partnership.enabled_unix, now),
    )


def _overdue_seconds(state: VerifyState, enabled_unix: float, now: float) -> float:
    """How long ago the last verification should have ended, beyond one more period."""
    if not state.every_seconds:
        return 0.0
    since = state.last_unix if state.last_unix is not None else enabled_unix
    return max(0.0, now - since - 2 * state.every_seconds)


# --- by itself -----------------------------------------------------------------------------------


def set_schedule(context: Context, group: str, every_hours: int) -> None:
    """Let the owner verify a group every so many hours; 0: never."""
    partnership = context.snapshot.partnership_of(group)
    assert partnership is not None, group
    state = state_of(context, partnership.partnership)
    remember(context, attrs.evolve(state, every_seconds=every_hours * HOUR_SECONDS))


def check_schedule(view: View, group: str, every_hours: int) -> str:
    """Return the partnership of a group that is to be verified now and then.

    Raises:
        SrError: SR0105, there is no such group; SR5310, it is not protected; SR0001, nobody means
            so many hours.
    """
    view.snapshot.group(group)
    partnership = view.snapshot.partnership_of(group)
    if partnership is None:
        raise SrError.make("SR5310", group=group, peer="PEER")
    if not 0 <= every_hours <= _HOURS_MAX:
        problem = f"a group is verified every 1 to {_HOURS_MAX} hours, or with 0 never"
        raise unreadable("group set", problem, f"{every_hours} hours")
    return partnership.partnership


async def verify_when_due(session: FabricSession) -> None:
    """Begin verifications that are due, until cancelled."""
    while True:
        for group in due(session.context):
            try:
                await session.perform("verify", {"group": group, "wait": False})
            except SrError as error:
                LOG.info("verification of %s: %s", group, error)
            except Exception:
                LOG.exception("verification of %s", group)
        await asyncio.sleep(_LOOK_SECONDS)


def due(context: Context) -> list[str]:
    """The primary groups whose last verification ended too long ago, and that are in sync."""
    view, now = context.view(), context.clock.unix()
    groups: list[str] = []
    for partnership in view.snapshot.partnerships:
        state = context.verifications.get(partnership.partnership)
        primary = view.primary_of(partnership.source)
        if state is None or not state.every_seconds or primary is None:
            continue
        if _lock(partnership.partnership) in context.busy:
            continue
        since = state.last_unix if state.last_unix is not None else partnership.enabled_unix
        waits = now < state.tried_unix + _RETRY_SECONDS
        is_due = now - since >= state.every_seconds
        if is_due and not waits and view.state(primary) is ReplicationState.SYNCHRONIZING:
            remember(context, attrs.evolve(state, tried_unix=now))
            groups.append(primary)
    return groups
