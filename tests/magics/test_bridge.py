"""Waiting for a command: progress, time limits, interrupts.  Time is turned by hand."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from srshell.fabric.calls import parse_line
from srshell.fabric.job_report import JobDetached
from srshell.model.errors import SrError
from srshell.model.inventory import JobState
from srshell_magics.bridge import Bridge
from srshell_magics.front import Front, Watching
from srshell_magics.progress import ProgressLine, Rate
from srshell_magics.settings import SRShell
from tests.magics.samples import COPYING, PAIR, STATUS, FakeClock, FakeFabric, done, job

Captured = pytest.CaptureFixture[str]
FAILOVER = parse_line("srshell failover PriRG --planned --confirm RecRG")
WAIT = parse_line("srshell wait PriRG --until Synchronizing")


def _bridge(
    fabric: FakeFabric, clock: FakeClock, watching: Watching = Watching.TERMINAL, mode: str = "auto"
) -> Bridge:
    front = Front(watching, can_ask=watching is not Watching.NOBODY)
    progress = ProgressLine(front, mode, clock)
    return Bridge(fabric, front, progress, 600.0, clock=clock, sleep=clock.sleep)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _lines(error: Any) -> list[str]:  # noqa: ANN401
    lines: list[str] = error._render_traceback_()
    return lines


def _until(clock: FakeClock, moment: float, result: object) -> Callable[[object], object]:
    """A job that is done at a moment."""
    return lambda _: done(result) if clock.now >= moment else job()


def test_a_quick_command_shows_no_progress(capsys: Captured) -> None:
    """Before 1.5 s a line would only flicker."""
    clock = FakeClock()
    fabric = FakeFabric({"failover": job(), "job": _until(clock, 1.4, PAIR)})
    assert _bridge(fabric, clock).carry_out(FAILOVER) == PAIR
    assert capsys.readouterr().out == ""
    assert clock.now < 1.7


def test_a_slow_command_shows_one_line_at_most_four_times_a_second(capsys: Captured) -> None:
    """A line that is redrawn too often slows a remote terminal down."""
    clock = FakeClock()
    fabric = FakeFabric(
        {
            "failover": job(),
            "job": lambda _: (
                done(PAIR)
                if clock.now >= 11.5
                else job(done_bytes=int(clock.now * 2**20), total_bytes=100 * 2**20)
            ),
        }
    )
    bridge = _bridge(fabric, clock)
    assert bridge.carry_out(FAILOVER) == PAIR
    bridge.progress.end("↳ done")
    shown = capsys.readouterr().out.split("\r\x1b[K")
    assert 20 <= len(shown) <= 42
    assert "ETA unknown" in shown[1]
    assert "1 MiB/s, ETA 1 min" in shown[-3]
    assert shown[-1] == "↳ done\n"
    assert all("\n" not in line for line in shown[:-1])


def test_nobody_watching_sees_the_last_line_alone(capsys: Captured) -> None:
    """A notebook that is run by a program keeps what happened, not how it came about."""
    clock = FakeClock()
    fabric = FakeFabric({"failover": job(), "job": _until(clock, 30.0, PAIR)})
    bridge = _bridge(fabric, clock, Watching.NOBODY)
    bridge.carry_out(FAILOVER)
    bridge.progress.end("↳ done")
    assert capsys.readouterr().out == "↳ done\n"


def test_progress_can_be_lines_or_nothing(capsys: Captured) -> None:
    """For logs, and for those who want none."""
    for mode, count in (("line", 6), ("off", 0)):
        clock = FakeClock()
        fabric = FakeFabric({"failover": job(), "job": _until(clock, 3.0, PAIR)})
        _bridge(fabric, clock, mode=mode).carry_out(FAILOVER)
        assert count - 3 <= len(capsys.readouterr().out.splitlines()) <= count


def test_the_time_limit_ends_the_wait_and_not_the_work() -> None:
    """The error says how to wait on."""
    clock = FakeClock()
    fabric = FakeFabric({"failover": job(), "job": job()})
    call = parse_line("srshell failover PriRG --planned --confirm RecRG --timeout 90s")
    with pytest.raises(SrError) as over:
        _bridge(fabric, clock).carry_out(call)
    assert over.value.code == "SR0106"
    assert "srshell job 17" in over.value.mend
    assert 90 <= clock.now < 91
    assert {verb for verb, _ in fabric.asked} == {"failover", "job"}
    assert not [arguments for _, arguments in fabric.asked if "cancel" in arguments]


def test_one_interrupt_detaches_and_names_the_job() -> None:
    """A half-cancelled failover is worse than one that goes on."""
    clock = FakeClock()
    clock.at(2.0, _interrupt)
    fabric = FakeFabric({"failover": job(), "job": job()})
    with pytest.raises(JobDetached) as stopped:
        _bridge(fabric, clock).carry_out(FAILOVER)
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert stopped.value.job.id == 17
    assert _lines(stopped.value)[0] == "detached from job 17 (failover PriRG): it goes on"
    assert "%job 17 --wait" in _lines(stopped.value)[1]
    assert "%job 17 --cancel" in _lines(stopped.value)[2]
    assert 5.0 <= clock.now < 5.5  # a second one would have counted for 3 s
    assert not [arguments for _, arguments in fabric.asked if "cancel" in arguments]


def test_with_nobody_watching_there_is_no_second_interrupt_to_wait_for() -> None:
    """What runs a notebook interrupts once."""
    clock = FakeClock()
    clock.at(2.0, _interrupt)
    fabric = FakeFabric({"failover": job(), "job": job()})
    with pytest.raises(JobDetached):
        _bridge(fabric, clock, Watching.NOBODY).carry_out(FAILOVER)
    assert clock.now < 2.5


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (JobState.CANCELLED, "was cancelled"),
        (JobState.DONE, "could not be stopped any more: it is done"),
        (JobState.RUNNING, "was asked to stop"),
    ],
)
def test_a_second_interrupt_asks_to_cancel_and_says_what_came_of_it(
    after: JobState, text: str
) -> None:
    """The owner decides: between demotion and promotion nothing can stop."""
    clock = FakeClock()
    clock.at(2.0, _interrupt)
    clock.at(4.0, _interrupt)
    asked: list[object] = []

    def answer(arguments: dict[str, object]) -> object:
        asked.extend(["cancel"] if arguments.get("cancel") else [])
        return job(after if asked else JobState.RUNNING)

    fabric = FakeFabric({"failover": job(), "job": answer})
    with pytest.raises(JobDetached) as stopped:
        _bridge(fabric, clock).carry_out(FAILOVER)
    assert asked == ["cancel"]
    assert text in _lines(stopped.value)[0]
    assert "%job 17" in _lines(stopped.value)[1]


def test_a_third_interrupt_ends_even_the_waiting_for_the_cancellation() -> None:
    """Who presses three times wants the prompt back."""
    clock = FakeClock()
    for moment in (2.0, 3.0, 4.0):
        clock.at(moment, _interrupt)
    fabric = FakeFabric({"failover": job(), "job": job()})
    with pytest.raises(JobDetached):
        _bridge(fabric, clock).carry_out(FAILOVER)
    assert clock.now < 4.5


def _press(times: int) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


class _Pressed(ProgressLine):
    """Somebody presses Ctrl-C in the very moment in which a text is shown."""

    times = 1

    def show(self, text: str, *, now: bool = False) -> None:
        if now:
            _press(self.times)
        super().show(text, now=now)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_interrupts_in_quick_succession_are_two_interrupts(times: int) -> None:
    """None is taken for "nothing was changed", and none keeps the job from being asked."""
    clock = FakeClock()
    clock.at(2.0, lambda: _press(1))
    asked: list[object] = []

    def answer(arguments: dict[str, object]) -> object:
        asked.extend(["cancel"] if arguments.get("cancel") else [])
        return job(JobState.CANCELLED if asked else JobState.RUNNING)

    for line in ("srshell failover PriRG --planned --confirm RecRG", "srshell job 17 --wait"):
        asked.clear()
        clock.at(clock.now + 2.0, lambda: _press(1))
        bridge = _bridge(FakeFabric({"failover": job(), "job": answer}), clock)
        bridge.progress = _Pressed(bridge.front, "auto", clock)
        bridge.progress.times = times
        with pytest.raises(JobDetached) as stopped:
            bridge.carry_out(parse_line(line))
        assert asked == ["cancel"]
        assert "was cancelled" in _lines(stopped.value)[0]


def test_a_third_interrupt_amid_the_asking_claims_nothing() -> None:
    """The owner may not have heard of it."""
    clock = FakeClock()
    for moment in (2.0, 3.0):
        clock.at(moment, lambda: _press(1))

    def answer(arguments: dict[str, object]) -> object:
        if arguments.get("cancel"):
            _press(1)
        return job()

    with pytest.raises(JobDetached) as stopped:
        _bridge(FakeFabric({"failover": job(), "job": answer}), clock).carry_out(FAILOVER)
    assert "was being asked to stop" in _lines(stopped.value)[0]


def test_an_interrupt_amid_a_request_to_stop_does_not_say_that_nothing_was_changed() -> None:
    """It may have been heard."""
    fabric = FakeFabric({"job": KeyboardInterrupt()})
    for line, text in (("job 17 --cancel", "%jobs says"), ("job 17", "nothing was changed")):
        with pytest.raises(KeyboardInterrupt) as stopped:
            _bridge(fabric, FakeClock()).carry_out(parse_line(f"srshell {line}"))
        assert text in _lines(stopped.value)[0]


def test_an_interrupt_before_the_job_is_known_says_where_to_look() -> None:
    """It may have begun."""
    fabric = FakeFabric({"failover": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt) as stopped:
        _bridge(fabric, FakeClock()).carry_out(FAILOVER)
    assert "%jobs" in _lines(stopped.value)[0]


def test_an_interrupt_of_what_only_looks_says_that_nothing_was_changed() -> None:
    """And shows no traceback."""
    fabric = FakeFabric({"groups": KeyboardInterrupt(), "status": KeyboardInterrupt()})
    for line in ("srshell groups", "srshell status"):
        with pytest.raises(KeyboardInterrupt) as stopped:
            _bridge(fabric, FakeClock()).carry_out(parse_line(line))
        assert "nothing was changed" in _lines(stopped.value)[0]


def test_waiting_for_a_state_shows_how_far_the_copy_is(capsys: Captured) -> None:
    """Asked for beside the wait, which is one request: no state can pass unseen between two."""
    clock = FakeClock()
    shown = threading.Event()

    def status(_: object) -> object:
        shown.set()
        return COPYING

    def wait(_: object) -> object:
        clock.now = 2.0
        assert shown.wait(10)
        return STATUS

    fabric = FakeFabric({"wait": wait, "status": status})
    bridge = _bridge(fabric, clock)
    assert bridge.carry_out(WAIT) is STATUS
    assert bridge._text(WAIT, 2.0).endswith("2.0 s  30 % 30 MiB of 100 MiB, ETA unknown")
    assert fabric.asked[0] == (
        "wait", {"group": "PriRG", "until": "Synchronizing", "timeout": 600.0}
    )  # fmt: skip


def test_what_comes_late_is_not_shown_any_more(capsys: Captured) -> None:
    """An answer after the end of the cell would land in the next one."""
    clock = FakeClock(2.0)
    progress = ProgressLine(Front(Watching.TERMINAL, can_ask=True), "auto", clock)
    progress.end("↳ done")
    clock.now = 9.0
    progress.show("late")
    assert capsys.readouterr().out == "↳ done\n"


def test_another_error_of_a_wait_is_that_error() -> None:
    """An unknown group is not waited for."""
    fabric = FakeFabric({"wait": SrError.make("SR0105", noun="group", name="PriRG")})
    with pytest.raises(SrError, match="SR0105"):
        _bridge(fabric, FakeClock()).carry_out(WAIT)


def test_a_job_is_waited_for_by_its_number() -> None:
    """After a detachment, or in another notebook."""
    clock = FakeClock()
    fabric = FakeFabric({"job": _until(clock, 2.0, PAIR)})
    report = _bridge(fabric, clock).carry_out(parse_line("srshell job 17 --wait"))
    assert report.job.state is JobState.DONE
    assert fabric.asked[0] == ("job", {"number": 17})


def test_under_a_grader_no_wait_outlasts_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells end after 30 s and lose all their output."""
    assert SRShell().wait_seconds() == 600.0
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert SRShell().wait_seconds() == 25.0
    assert SRShell(timeout=5.0).wait_seconds() == 5.0


def test_an_eta_is_unknown_until_it_can_be_told() -> None:
    """Before 5 s, before 1 %, or when nothing moves, any number would be made up."""
    clock = FakeClock()
    rate = Rate(clock)

    def eta(seconds: float, done_bytes: int) -> float | None:
        clock.now = seconds
        value: float | None = rate.note(done_bytes, 1000)["eta_seconds"]
        return value

    assert eta(0.0, 0) is None
    assert eta(4.0, 400) is None
    assert eta(5.0, 500) == pytest.approx(5.0)
    assert eta(40.0, 500) is None
    assert Rate(clock).note(0, 0)["eta_seconds"] is None


def test_an_eta_follows_the_last_thirty_seconds() -> None:
    """A copy that slowed down must not be judged by its first minute."""
    clock = FakeClock()
    rate = Rate(clock)
    for second in range(100):
        clock.now = float(second)
        rate.note(second * 100 if second < 60 else 6000 + (second - 60), 10_000)
    assert rate.note(6039, 10_000)["bytes_per_second"] == pytest.approx(1.0)
