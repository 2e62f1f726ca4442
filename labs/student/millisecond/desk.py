"""Lab 5: a link that is slower by a known time, and a morning on which one leg is slow.

Always true: measured is the fastest of many writes, and lines are compared in turn: other work on
the machine hardly changes that.
"""

from __future__ import annotations

import time
from random import Random

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, undecided
from srshell.site.faults import SLOW_LINK_SECONDS

COUNT, ROUNDS = 40, 4
BLOCK = 4096
#: A prediction may be off by this share, and by this much on a machine that is busy.
SHARE, SLACK_MS = 0.2, 2.0
_MORNINGS = {
    "link": "fault link slow --for {_morning}s",
    "local_log": "fault disk slow ClusterA --for {_morning}s",
    "remote_log": "fault disk slow ClusterB --for {_morning}s",
}

check = Checks()


def facts(dice: Random) -> Facts:
    """Which leg is slow that morning."""
    return {
        "count": COUNT,
        "delay_ms": round(SLOW_LINK_SECONDS * 1e3),
        "ask_fastest_ms": "milliseconds",
        "ask_slow_leg": "local_log, remote_log or link",
        "_slow": dice.choice(tuple(_MORNINGS)),
        "_morning": 60,
    }


def begin(desk: Desk, task: int) -> None:  # noqa: ARG001 - both tasks begin alike
    """A group in sync; nothing is measured yet."""
    given.protected(desk, "16M")


def play(desk: Desk, task: int) -> str:
    """Measure the line of today, then the new one; or begin the morning."""
    if task > 1:
        return _morning(desk)
    if "today_ms" not in desk.notes:
        desk.notes["today_ms"] = _fastest_ms(desk, COUNT)
        return f"the fastest of {COUNT} writes took {desk.notes['today_ms']:.1f} ms"
    if "fastest_ms" not in desk.answers:
        return "predict first: srshell lab answer fastest_ms NUMBER"
    if "new_ms" in desk.notes:
        return f"measured already: {desk.notes['new_ms']:.1f} ms"
    desk.notes["new_ms"] = desk.notes["today_ms"] + _longer_ms(desk)
    desk.notes["predicted_ms"] = desk.answers["fastest_ms"]
    return f"on the new line the fastest of {COUNT} writes took {desk.notes['new_ms']:.1f} ms"


def _longer_ms(desk: Desk) -> float:
    """How much longer the fastest write takes on the new line.

    Both lines are measured in turn: a machine that is busier now than it was before, or less,
    says nothing about a line.
    """
    today, new = [], []
    for _ in range(ROUNDS):
        today.append(_fastest_ms(desk, COUNT // ROUNDS))
        desk.do("fault link slow --for 60s")
        new.append(_fastest_ms(desk, COUNT // ROUNDS))
        desk.do("fault link slow --for 0s")
    return min(new) - min(today)


def _fastest_ms(desk: Desk, count: int) -> float:
    """The fastest of many writes of one block, as a client sees it."""
    volume, found = desk.fabric.volume("PrimaryVol"), []
    for block in range(count):
        began = time.monotonic()
        volume.write(block * BLOCK, bytes([block]) * BLOCK)
        found.append((time.monotonic() - began) * 1e3)
    return min(found)


def _morning(desk: Desk) -> str:
    """One leg is slow for a minute, while a machine writes."""
    desk.do(_MORNINGS[str(desk.facts["_slow"])])
    if desk.machine("DemoVM") is None:
        given.machine(desk, "PrimaryVol", rate=40)
    desk.notes["mornings"] = desk.notes.get("mornings", 0) + 1
    return "it is morning, and everything is slow, for a minute"


@check(task=1, points=3, name="predicted before it was measured")
def predicted(desk: Desk) -> Verdict:
    """Within a fifth of what was measured."""
    if "new_ms" not in desk.notes:
        return undecided("the new line was not measured yet: srshell lab play")
    measured = float(desk.notes["new_ms"])
    try:
        guess = float(str(desk.notes["predicted_ms"]).removesuffix("ms"))
    except ValueError:
        return failed(f"{desk.notes['predicted_ms']} is not a number of milliseconds")
    close = abs(guess - measured) <= measured * SHARE + SLACK_MS
    return judged(close, f"predicted {guess:g} ms, measured {measured:.1f} ms")


@check(task=2, points=3, name="the slow leg is named")
def named(desk: Desk) -> Verdict:
    """The leg that the seed slows down."""
    answer = desk.answers.get("slow_leg", "").strip().lower().replace("-", "_")
    if not desk.notes.get("mornings"):
        return undecided("that morning has not been yet: srshell lab play")
    if not answer:
        return undecided("not answered yet: srshell lab answer slow_leg …")
    return judged(answer == desk.facts["_slow"], f"you say {answer}")
