"""Turns of copies: in proportion to priorities, never beyond a rate, never idle while one waits."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srshell.model.copying import CopyPlan, CopyTerms, fair_rates
from srshell.replication.turns import CREDIT_BYTES, SLACK_SECONDS, Turns

MIB = 1 << 20
TURN = MIB // 2


def plan_of(total: int, **terms: tuple[int, int]) -> CopyPlan:
    """A plan; the terms are a priority and a rate of its own."""
    return CopyPlan(total, tuple(CopyTerms(name, *each) for name, each in terms.items()))


def grants(
    turns: Turns,
    names: str,
    seconds: float,
    sizes: Mapping[str, int] | None = None,
    begin: float = 0.0,
) -> list[tuple[float, str, int]]:
    """What is granted to copies that ask again at once, as (when, who, how many bytes)."""
    found: list[tuple[float, str, int]] = []
    now = begin
    sizes = sizes or {}
    for name in names:
        turns.ask(name, sizes.get(name, TURN))
    while now < begin + seconds:
        for name in turns.grant(now):
            found.append((now, name, sizes.get(name, TURN)))
            turns.ask(name, sizes.get(name, TURN))
        when = turns.next_at()
        assert when is not None
        assert when > now, "somebody who might go on was not granted a turn"
        now = when
    return found


def totals(found: list[tuple[float, str, int]]) -> Counter[str]:
    """Bytes by copy."""
    counted: Counter[str] = Counter()
    for _, name, size_bytes in found:
        counted[name] += size_bytes
    return counted


def test_without_a_rate_everybody_goes_on_at_once() -> None:
    turns = Turns()
    assert not turns.limited("a")
    turns.ask("a", TURN)
    turns.ask("b", TURN)
    assert turns.grant(1.0) == ["a", "b"]
    assert turns.next_at() is None


def test_the_rate_is_shared_by_priority() -> None:
    found = totals(grants(Turns(plan_of(8 * MIB, a=(30, 0), b=(10, 0))), "ab", 100.0))
    assert found["a"] / found["b"] == pytest.approx(3.0, rel=0.02)
    assert found.total() == pytest.approx(800 * MIB, rel=0.01)


def test_equal_copies_with_unequal_turns_get_equal_bytes() -> None:
    sizes = {"a": TURN, "b": 4096}
    found = totals(grants(Turns(plan_of(MIB)), "ab", 30.0, sizes))
    assert found["a"] / found["b"] == pytest.approx(1.0, rel=0.02)


def test_what_one_may_not_take_is_left_to_the_others() -> None:
    plan = plan_of(8 * MIB, a=(30, 2 * MIB), b=(10, 0))
    assert fair_rates(plan, "ab") == {"a": 2 * MIB, "b": 6 * MIB}
    found = totals(grants(Turns(plan), "ab", 100.0))
    assert found["a"] == pytest.approx(200 * MIB, rel=0.02)
    assert found["b"] == pytest.approx(600 * MIB, rel=0.02)


def test_a_rate_of_its_own_holds_without_a_common_one() -> None:
    turns = Turns(plan_of(0, a=(10, MIB)))
    assert turns.limited("a")
    assert not turns.limited("b")
    found = totals(grants(turns, "a", 100.0))
    assert found["a"] == pytest.approx(100 * MIB, rel=0.02)


def test_who_is_alone_gets_all_of_it() -> None:
    found = totals(grants(Turns(plan_of(8 * MIB, a=(1, 0), b=(100, 0))), "a", 10.0))
    assert found["a"] == pytest.approx(80 * MIB, rel=0.02)


def test_who_comes_back_gets_little_ahead() -> None:
    turns = Turns(plan_of(8 * MIB))
    turns.ask("b", TURN)
    assert turns.grant(0.0) == ["b"]
    grants(turns, "a", 100.0)
    turns.leave("a")
    found = grants(turns, "ab", 10.0, begin=101.0)
    first = [name for _, name, _ in found][: CREDIT_BYTES // TURN + 2]
    assert "a" in first
    assert totals(found)["b"] - totals(found)["a"] <= CREDIT_BYTES + 2 * TURN


def test_who_asks_a_little_late_does_not_lose_its_share() -> None:
    """Now and then an extent takes long: meanwhile the other one goes on, and is caught up with."""
    turns = Turns(plan_of(8 * MIB, a=(30, 0), b=(10, 0)))
    counted: Counter[str] = Counter()
    now, asks = 0.0, {"a": 0.0, "b": 0.0}
    while now < 60.0:
        for name, when in list(asks.items()):
            if when <= now:
                turns.ask(name, TURN)
                del asks[name]
        for name in turns.grant(now):
            counted[name] += TURN
            slow = name == "a" and counted["a"] // TURN % 4 == 0
            asks[name] = now + (0.1 if slow else 0.0)
        ahead = turns.next_at()
        now = min([*asks.values(), *([] if ahead is None else [ahead])])
    assert counted["a"] / counted["b"] == pytest.approx(3.0, rel=0.05)
    assert counted.total() / 60.0 == pytest.approx(8 * MIB, rel=0.02)


def test_another_plan_holds_from_the_next_turn_on() -> None:
    turns = Turns(plan_of(MIB // 2))
    turns.ask("a", 64 * MIB)
    assert turns.grant(0.0) == ["a"]
    turns.ask("a", TURN)
    turns.ask("b", TURN)
    assert turns.grant(1.0) == []
    turns.configure(CopyPlan())
    assert turns.grant(1.0) == ["b", "a"]
    turns.configure(plan_of(MIB, a=(10, MIB // 2)))
    turns.ask("a", TURN)
    assert turns.grant(2.0) == ["a"]
    turns.ask("a", TURN)
    assert turns.grant(2.5) == []
    assert turns.next_at() == pytest.approx(2.0 - SLACK_SECONDS + 1.0)


def test_who_has_left_is_not_chosen() -> None:
    turns = Turns(plan_of(MIB))
    turns.ask("a", TURN)
    turns.leave("a")
    turns.leave("nobody")
    assert turns.grant(0.0) == []
    assert turns.next_at() is None


RATES = st.one_of(st.just(0), st.integers(1, 64 * MIB))
PLANS = st.builds(
    CopyPlan,
    RATES,
    st.tuples(*(st.builds(CopyTerms, st.just(name), st.integers(1, 100), RATES) for name in "abc")),
)


@settings(max_examples=40, deadline=None)
@given(PLANS, st.sets(st.sampled_from("abcd"), min_size=1))
def test_fair_rates_are_fair(plan: CopyPlan, copying: set[str]) -> None:
    rates = fair_rates(plan, copying)
    assert set(rates) == copying
    if not plan.bytes_per_second:
        assert all(rates[name] == plan.of(name).bytes_per_second for name in copying)
        return
    assert sum(rates.values()) <= plan.bytes_per_second * (1 + 1e-9)
    free = [name for name in copying if not _at_its_limit(plan, name, rates[name])]
    # Who could take more has the same in proportion to its priority, and nobody has more.
    shares = {name: rate / plan.of(name).priority for name, rate in rates.items()}
    for name in free:
        assert shares[name] == pytest.approx(max(shares.values()))
    if free:
        assert sum(rates.values()) == pytest.approx(plan.bytes_per_second)


def _at_its_limit(plan: CopyPlan, name: str, rate: float) -> bool:
    own = plan.of(name).bytes_per_second
    return bool(own) and rate >= own * (1 - 1e-9)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_in_no_span_of_time_is_more_granted_than_the_rates_allow(data: st.DataObject) -> None:
    plan = data.draw(PLANS)
    turns = Turns(plan)
    asking: dict[str, int] = {}
    found: list[tuple[float, str, int]] = []
    now = 0.0
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(("ask", "wait", "wait", "leave"))):
            case "ask":
                name = data.draw(st.sampled_from("abcd"))
                if name not in asking:
                    asking[name] = data.draw(st.integers(1, MIB))
                    turns.ask(name, asking[name])
            case "wait":
                now += data.draw(st.floats(0.0, 2.0))
            case _:
                # Whoever leaves has ended his copy; his own rate begins anew with the next one.
                name = data.draw(st.sampled_from("d"))
                asking.pop(name, None)
                turns.leave(name)
        found += [(now, name, asking.pop(name)) for name in turns.grant(now)]
        ahead = turns.next_at()
        assert (ahead is None) is not bool(asking)
        assert ahead is None or ahead > now
    _check(found, plan.bytes_per_second)
    for name in "abc":
        own = [row for row in found if row[1] == name]
        _check(own, plan.of(name).bytes_per_second)


def _check(found: list[tuple[float, str, int]], rate: int) -> None:
    """Of every span from one grant to another: all but the last turn fits the rate."""
    for first in range(len(found) if rate else 0):
        size_bytes = 0
        for when, _, turn_bytes in found[first:]:
            seconds = when - found[first][0] + SLACK_SECONDS
            assert size_bytes <= rate * seconds * (1 + 1e-9) + 1
            size_bytes += turn_bytes


@settings(max_examples=12, deadline=None)
@given(
    st.integers(4 * MIB, 64 * MIB),
    st.lists(st.tuples(st.integers(1, 20), RATES), min_size=2, max_size=3),
)
def test_in_the_long_run_everybody_gets_the_fair_rate(
    total: int, terms: list[tuple[int, int]]
) -> None:
    names = "abc"[: len(terms)]
    plan = plan_of(total, **dict(zip(names, terms, strict=True)))
    seconds = 500 * TURN / total
    found = totals(grants(Turns(plan), names, seconds))
    for name, rate in fair_rates(plan, names).items():
        assert abs(found[name] - rate * seconds) <= rate * seconds * 0.02 + 2 * CREDIT_BYTES, name
