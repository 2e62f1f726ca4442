"""A fabric that answers from a list, a clock that is turned by hand, and reports to show."""

import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from types import NoneType
from typing import Any

import attrs

from srshell.fabric.reports import VmCheckReport
from srshell.model.errors import SrError
from srshell.model.inventory import Job, JobState, Step, StepState
from srshell.model.report import (
    GroupStatus,
    JobReport,
    PairReport,
    PlanReport,
    Progress,
    StatusReport,
    StepRow,
    encode,
)
from srshell.model.states import ReplicationHealth, ReplicationState

PAIR = PairReport("ClusterA", "ClusterB", 1.0)
PLAN = PlanReport(
    "failover PriRG --planned",
    (StepRow("seal", "stop taking writes"), StepRow("promote", "make RecRG primary")),
    confirm="RecRG",
    about_seconds=3.0,
)
CHECK = VmCheckReport("DemoVM", "PrimaryVol", 10, 10, 0, None, 0, equal=True)


@attrs.define
class FakeFabric:
    """Answers verbs from a table: a value, an error to raise, or a function of the arguments."""

    answers: dict[str, Any] = attrs.Factory(dict)
    asked: list[tuple[str, dict[str, object]]] = attrs.Factory(list)
    closed: bool = False
    stopped: bool = False

    def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        self.asked.append((verb, dict(arguments)))
        answer = self.answers[verb]
        if callable(answer):
            answer = answer(dict(arguments))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def stop_owner(self, *, keep_sites: bool = False) -> Any:  # noqa: ANN401
        self.stopped = True
        return PAIR

    def close(self) -> None:
        self.closed = True


@attrs.define
class FakeClock:
    """Time that passes only in ``sleep``; what is due then happens before it returns."""

    now: float = 0.0
    due: list[tuple[float, Callable[[], None]]] = attrs.Factory(list)

    def __call__(self) -> float:
        return self.now

    def at(self, moment: float, action: Callable[[], None]) -> None:
        self.due.append((moment, action))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for entry in sorted(self.due, key=lambda each: each[0]):
            if entry[0] <= self.now:
                self.due.remove(entry)
                entry[1]()


def job(state: JobState = JobState.RUNNING, **fields: Any) -> JobReport:  # noqa: ANN401
    """Job 17, a failover."""
    steps = (Step("seal", "stop taking writes", StepState.BEGUN),)
    return JobReport(Job(17, "failover", "PriRG", state, 1.0, steps=steps, **fields))


def done(result: object) -> JobReport:
    """Job 17, with its result."""
    return job(JobState.DONE, result=encode(result).decode(), ended_unix=2.0)


def confirmation() -> SrError:
    """The refusal of a failover that was not confirmed."""
    return SrError.make(
        "SR0101",
        facts="--confirm must name RecRG",
        mend="srshell failover PriRG --planned --confirm RecRG",
        command="failover PriRG --planned",
        effect="RecRG becomes primary",
    )


def status_row(name: str = "PriRG", **fields: Any) -> GroupStatus:  # noqa: ANN401
    """One side of a group in sync."""
    values: dict[str, Any] = {
        "name": name,
        "is_primary": True,
        "replication_state": ReplicationState.SYNCHRONIZING,
        "replication_health": ReplicationHealth.NORMAL,
        "array": "ClusterA",
        "health_reasons": (),
        "failover_ready": True,
        "failover_ready_reason": "every acknowledged write is in both logs",
        "rpo_seconds": 0.0,
        "peer": "RecRG",
        "peer_state": "Synchronizing",
        "epoch": 1,
        "durable_lsn": 5,
        "acked_lsn": 5,
        "applied_lsn": 5,
        "progress": None,
        "volumes": (),
        "vms": (),
        "as_of": 1.0,
    }
    return GroupStatus(**{**values, **fields})


STATUS = StatusReport((status_row(),))
COPYING = StatusReport(
    (
        status_row(
            replication_state=ReplicationState.REPLICATING,
            progress=Progress("initial", 30 * 2**20, 100 * 2**20, None),
            rpo_seconds=None,
        ),
    )
)


#: Fields whose text is one of a few words.
_ONE_OF_A_FEW = {"TopologyReport.verdict": "ready", "RuleRow.verdict": "holds"}


def filled(kind: Any, name: str = "x", above: tuple[object, ...] = ()) -> Any:  # noqa: ANN401
    """A value of a type with something in every field.

    Args:
        kind: the type.
        name: the field that it is for; a text says it.
        above: the types that it is a part of; none is put into itself.
    """
    parts = typing.get_args(kind)
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        known = [each for each in parts if each is not NoneType]
        return None if known[0] in above else filled(known[0], name, above)
    if typing.get_origin(kind) is tuple:
        inner = [each for each in parts if each is not Ellipsis and each not in above]
        twice = 2 if Ellipsis in parts else 1
        return tuple(filled(each, name, above) for each in inner) * twice
    if typing.get_origin(kind) in {dict, Mapping}:
        return {"key": filled(parts[1], name, above)}
    if attrs.has(kind):
        hints = typing.get_type_hints(kind)
        values = {
            field.name: filled(hints[field.name], f"{kind.__name__}.{field.name}", (*above, kind))
            for field in attrs.fields(kind)
            if field.name != "schema"
        }
        return kind(**values)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    text = _ONE_OF_A_FEW.get(name, name.rpartition(".")[2])
    plain: dict[Any, Any] = {str: text, int: 3, float: 1.5, bool: True}
    return plain.get(kind, name)
