"""What can be set with a group: its policy for a lost peer, terms of copies, verifications.

Always true: all that one command names is checked before any of it is set; both sides of a group
have one policy, one schedule and the same terms.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from srshell.fabric.calls import unreadable
from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import check_policy, resolve_direction
from srshell.fabric.checks_copies import UNLIMITED, check_copy_terms, read_rate
from srshell.fabric.context import Context
from srshell.fabric.copying import hand_down
from srshell.fabric.jobs import JobHandle
from srshell.fabric.snapshot import View
from srshell.fabric.verbs.groups import group_report
from srshell.fabric.verbs.verifying import check_schedule, set_schedule
from srshell.model.geometry import format_exact, format_size
from srshell.model.replica import OnPeerLoss
from srshell.model.report import GroupReport


@attrs.frozen
class GroupOptions:
    """What is to be set; None stays as it is."""

    verify_every_hours: int | None = None
    copy_rate: int | str | None = None
    copy_priority: int | None = None

    @property
    def given(self) -> bool:
        """Whether anything is to be set."""
        return self != GroupOptions()

    @property
    def _of_copies(self) -> bool:
        return (self.copy_rate, self.copy_priority) != (None, None)

    def check(self, view: View, group: str) -> str:
        """Return the partnership of the group, if everything may be set.

        Raises:
            SrError: SR0105, SR5310, SR0001, SR0005.
        """
        if self._of_copies:
            check_copy_terms(view, group, self.copy_rate, self.copy_priority).enforce()
        if self.verify_every_hours is not None:
            check_schedule(view, group, self.verify_every_hours)
        partnership = view.snapshot.partnership_of(group)
        return partnership.partnership if partnership else ""

    def steps(self, group: str) -> Iterator[tuple[str, str]]:
        """What is to be done, in words."""
        if self.verify_every_hours is not None:
            hours = self.verify_every_hours
            yield "schedule", f"{group} is verified {f'every {hours} h' if hours else 'never'}"
        words = []
        if self.copy_rate is not None:
            words.append(f"take {rate_text(read_rate(self.copy_rate))}")
        if self.copy_priority is not None:
            words.append(f"have priority {self.copy_priority}")
        if words:
            yield "copies", f"copies of {group} {' and '.join(words)}"

    @property
    def typed(self) -> str:
        """The options as they are typed, each after a blank."""
        text = ""
        if self.verify_every_hours is not None:
            text += f" --verify-every {self.verify_every_hours}"
        if self.copy_rate is not None:
            rate = read_rate(self.copy_rate)
            text += f" --copy-rate {format_exact(rate) if rate else UNLIMITED}"
        if self.copy_priority is not None:
            text += f" --copy-priority {self.copy_priority}"
        return text

    async def set(self, context: Context, handle: JobHandle, group: str) -> None:
        """Set it, durably, and tell the sites."""
        if self.verify_every_hours is not None:
            with handle.step("schedule"):
                set_schedule(context, group, self.verify_every_hours)
        partnership = context.snapshot.partnership_of(group)
        if partnership is None or not self._of_copies:
            return
        with handle.step("copies"):
            if self.copy_rate is not None:
                rate = read_rate(self.copy_rate)
                partnership = attrs.evolve(partnership, copy_bytes_per_second=rate)
            if self.copy_priority is not None:
                partnership = attrs.evolve(partnership, copy_priority=self.copy_priority)
            context.put(partnership)
            await hand_down(context)


async def set_policy(
    context: Context,
    *,
    group: str,
    on_peer_loss: str | None,
    verify_every_hours: int | None,
    copy_rate: int | str | None,
    copy_priority: int | None,
) -> Change:
    """Say what writes do without the peer; both groups of a partnership have one policy."""
    options = GroupOptions(verify_every_hours, copy_rate, copy_priority)
    if on_peer_loss is None:
        return await _set_options(context, group, options)
    view = await context.asked_view()
    verdict = check_policy(view, group, on_peer_loss).enforce()
    options.check(view, group)
    partnership = view.snapshot.partnership_of(group)

    async def carry_out(handle: JobHandle) -> GroupReport:
        policy = OnPeerLoss(on_peer_loss)
        names = [group]
        with handle.step("policy"):
            if partnership is not None:
                way = resolve_direction(context.view(), group)
                site = context.site(way.from_array)
                await site.set_policy(partnership.partnership, policy)
                names = [way.primary, way.target]
            changed = [
                attrs.evolve(context.snapshot.group(name), on_peer_loss=policy) for name in names
            ]
            context.put(*changed)
        await options.set(context, handle, group)
        return group_report(context.view(), group, notes(verdict.warnings))

    policy_step = ("policy", f"without its peer the writes of {group}: {on_peer_loss}")
    return Change(
        f"group set {group} --on-peer-loss {on_peer_loss}{options.typed}",
        group,
        steps(policy_step, *options.steps(group)),
        carry_out,
        exclusive=partnership.partnership if partnership else "setup",
        checks=check_rows(verdict),
        already=group_report(view, group) if verdict.already and not options.given else None,
    )


async def _set_options(context: Context, group: str, options: GroupOptions) -> Change:
    """Set what is given, and leave the policy as it is."""
    if not options.given:
        names = "--on-peer-loss, --verify-every, --copy-rate or --copy-priority"
        raise unreadable("group set", f"nothing is to be set: give {names}")
    view = await context.asked_view()
    partnership = options.check(view, group)

    async def carry_out(handle: JobHandle) -> GroupReport:
        await options.set(context, handle, group)
        return group_report(context.view(), group)

    return Change(
        f"group set {group}{options.typed}",
        group,
        steps(*options.steps(group)),
        carry_out,
        exclusive=partnership,
    )


def rate_text(bytes_per_second: int) -> str:
    """A rate for eyes."""
    if not bytes_per_second:
        return "as much as they can"
    return f"at most {format_size(bytes_per_second)}/s"
