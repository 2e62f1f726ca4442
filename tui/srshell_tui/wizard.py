"""What a person goes through before something changes: the way, the plan, the name, the result.

Always true:

(1) A wizard is a command line on its way: what is run is the line that is shown, read by the
    registry's parser.
(2) Nothing is run before its plan was shown; what demands a name is run only when it was typed.
(3) A wizard that ends leaves the work alone: its job goes on in the owner.

    CHOOSE --choose--> PLAN --planned--> CONFIRM --typed--> RUN --result--> DONE
                            --refused--> REFUSED
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Sequence
from enum import StrEnum

import attrs

from srshell.fabric.calls import Call, parse_line
from srshell.fabric.pages import Page, page_of
from srshell.fabric.pages.words import size
from srshell.model.errors import SrError
from srshell.model.inventory import Job
from srshell.model.report import PlanReport, encode
from srshell.model.states import ReplicationState
from srshell_tui.scene import Couple


class Stage(StrEnum):
    """How far a wizard is."""

    CHOOSE = "choose"
    ASK = "ask"  # the parts of the line are asked for, one by one
    PLAN = "plan"  # the owner is asked what would be done
    REFUSED = "refused"
    CONFIRM = "confirm"
    RUN = "run"
    DONE = "result"


@attrs.frozen
class Option:
    """One way to go on: what it is called, what it means, and its command line."""

    label: str
    meaning: str
    line: str


@attrs.frozen
class Question:
    """One part of a line that is asked for; ``{}`` in ``part`` is the answer."""

    text: str
    part: str
    default: str = ""


@attrs.frozen
class Wizard:
    """One change on its way."""

    title: str
    stage: Stage
    options: tuple[Option, ...] = ()
    chosen: int = 0
    questions: tuple[Question, ...] = ()
    answers: tuple[str, ...] = ()
    line: str = ""  #: without ``srshell`` and without what confirms it
    plan: PlanReport | None = None
    run_chosen: bool = False  #: of Cancel and Run, where nothing has to be typed
    job: Job | None = None
    error: SrError | None = None
    page: Page | None = None
    problem: str = ""  #: what was wrong with the last input

    @property
    def wanted(self) -> str:
        """What has to be typed to run it: the name, and the loss where one is accepted."""
        if self.plan is None or not self.plan.confirm:
            return ""
        loss = self.call().arguments.get("accept_loss")
        return f"{self.plan.confirm} {loss}" if loss is not None else self.plan.confirm

    @property
    def command(self) -> str:
        """The whole line, as it can be typed in a shell."""
        confirm = self.plan.confirm if self.plan else None
        has = "--confirm" in shlex.split(self.line)
        more = f" --confirm {confirm}" if confirm and not has else ""
        return f"srshell {self.line}{more}"

    def call(self) -> Call:
        """The line as a call, confirmed if its plan asks for it."""
        return parse_line(self.command)

    def dry_call(self) -> Call:
        """The line as a question for its plan."""
        call = parse_line(self.line)
        arguments = {**call.arguments, "dry_run": True}
        arguments.pop("wait", None)
        return attrs.evolve(call, arguments=arguments)

    @property
    def over(self) -> bool:
        """Whether nothing is left to be decided here."""
        return self.stage in {Stage.REFUSED, Stage.DONE}

    def planned(self, plan: PlanReport) -> Wizard:
        """The owner said what would be done."""
        return attrs.evolve(self, stage=Stage.CONFIRM, plan=plan)

    def refused(self, error: SrError) -> Wizard:
        """The rules say no; nothing has changed."""
        stage = Stage.REFUSED if self.stage is Stage.PLAN else Stage.DONE
        return attrs.evolve(self, stage=stage, error=error)

    def typed(self, text: str) -> Wizard:
        """The person typed what confirms it, or something else."""
        if text.strip() != self.wanted:
            return attrs.evolve(self, problem=f"that is not {self.wanted!r}: nothing was done")
        return attrs.evolve(self, stage=Stage.RUN, problem="")

    def finished(self, report: object) -> Wizard:
        """It is done."""
        page = page_of(json.loads(encode(report)))
        return attrs.evolve(self, stage=Stage.DONE, page=page)

    def choose(self) -> Wizard:
        """The marked option is taken."""
        line = self.options[self.chosen].line
        return attrs.evolve(self, stage=Stage.PLAN, line=line, options=())

    def answer(self, text: str) -> Wizard:
        """The next part was answered; with all of them the line is whole."""
        question = self.questions[len(self.answers)]
        value = text.strip() or question.default
        if not value:
            return attrs.evolve(self, problem=f"{question.text} has to be answered")
        answers = (*self.answers, value)
        if len(answers) < len(self.questions):
            return attrs.evolve(self, answers=answers, problem="")
        parts = (
            q.part.format(shlex.quote(a)) for q, a in zip(self.questions, answers, strict=True)
        )
        return attrs.evolve(
            self, answers=answers, line=" ".join(parts), stage=Stage.PLAN, problem=""
        )


def of_line(line: str) -> Wizard:
    """A wizard for a line that a person typed.

    Raises:
        SrError: it cannot be read.
    """
    parse_line(line)
    words = shlex.split(line)
    line = shlex.join(words[1:] if words[:1] == ["srshell"] else words)
    return Wizard(line, Stage.PLAN, line=line)


def of_options(title: str, options: Sequence[Option]) -> Wizard:
    """A wizard that begins with a choice; a single option is taken at once."""
    wizard = Wizard(title, Stage.CHOOSE, tuple(options))
    return wizard.choose() if len(options) == 1 else wizard


# --- the wizards of a group -----------------------------------------------------------------------


def failover(couple: Couple) -> Wizard:
    """Make the other side primary."""
    name = couple.source.name
    target = couple.other.name if couple.other else name
    return of_options(
        f"Fail over {couple.title}",
        (
            Option("planned", f"both sides are there; {target} takes over, nothing can be lost",
                   f"failover {name} --planned"),
            Option("unplanned", f"{couple.source.array} is gone; it is fenced, then {target} takes"
                   " over", f"failover {name} --unplanned"),
        ),
    )  # fmt: skip


def failback(couple: Couple) -> Wizard:
    """Make the first primary primary again."""
    line = f"failback {couple.source.name}"
    return of_options(f"Fail back {couple.title}", (Option("failback", "", line),))


def suspend_or_resume(couple: Couple) -> Wizard:
    """Pause replication, or go on with it."""
    source = couple.source
    paused = {ReplicationState.SUSPENDED, ReplicationState.PREPARED_FOR_FAILOVER}
    verb = "resume" if source.replication_state in paused else "suspend"
    title = f"{verb.capitalize()} {couple.title}"
    return of_options(title, (Option(verb, "", f"{verb} {source.name}"),))


def resolve(couple: Couple) -> Wizard:
    """End a split brain: the person names the side whose writes stay."""
    name = couple.source.name
    options = [
        Option(f"keep {side.array}", f"{_only_here(couple, side.array)}; what only the other side "
               "wrote is saved as a branch", f"resolve {name} --keep {side.array}")
        for side in couple.sides
    ]  # fmt: skip
    return of_options(f"Resolve the split brain of {couple.title}", options)


def _only_here(couple: Couple, array: str) -> str:
    """What one side of a split brain wrote alone."""
    found = next((split for split in couple.source.split if split.array == array), None)
    if found is None:
        return f"the writes of {array} stay"
    return f"{size(found.bytes)} in {found.blocks} blocks that only {array} wrote stay"


def teardown(couple: Couple) -> Wizard:
    """End replication; the data stays."""
    name = couple.source.name
    return of_options(
        f"Tear down {couple.title}",
        (
            Option("both sides", "replication ends; the data stays on both", f"teardown {name}"),
            Option(f"{name} alone", "for when the other side is gone",
                   f"teardown {name} --this-side-only"),
        ),
    )  # fmt: skip


def provision_pair(pools: Sequence[str], taken: Collection[str] = ()) -> Wizard:
    """Make equal volumes on both arrays of a pair, by names that are not taken."""
    stems = ("PrimaryVol", "RecoveryVol", "PrimaryLogVol", "RecoveryLogVol")
    ends = ("", *(str(number) for number in range(2, len(taken) + 3)))
    end = next(end for end in ends if not any(f"{stem}{end}" in taken for stem in stems))
    source, destination, source_log, destination_log = (f"{stem}{end}" for stem in stems)
    east = pools[0] if pools else ""
    west = next((pool for pool in pools if pool.split("/")[0] != east.split("/")[0]), "")
    questions = (
        Question("source volume", "provision {}", source),
        Question("destination volume", "{}", destination),
        Question("size of each", "--size {}", "1G"),
        Question("source log volume", "--logs {}", source_log),
        Question("destination log volume", "{}", destination_log),
        Question("size of each log", "--log-size {}", "64M"),
        Question("source pool, as ARRAY/POOL", "--on {}", east),
        Question("destination pool, as ARRAY/POOL", "{}", west),
    )
    return Wizard("Provision volumes for a pair", Stage.ASK, questions=questions)
