"""A dashboard without a terminal, and an owner that answers from a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from srshell.fabric.control_client import Begun, FabricClient
from srshell.fabric.place import FabricPlace
from srshell.model.inventory import Job, JobState
from srshell.model.report import JobReport, encode
from srshell_tui.app import Dashboard
from srshell_tui.options import Options
from srshell_tui.reel import Reel
from srshell_tui.scene import Look
from srshell_tui.sheet import Sheet
from srshell_tui.store import FabricView
from tests.tui import states

OPTIONS = Options(FabricPlace(Path("no-such-fabric")), start=False)


@attrs.define
class TableClient:
    """Answers verbs from a table: a value, an error to raise, or a function of the arguments."""

    answers: dict[str, Any] = attrs.Factory(dict)
    asked: list[tuple[str, dict[str, object]]] = attrs.Factory(list)

    async def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        self.asked.append((verb, dict(arguments)))
        answer = self.answers[verb]
        if callable(answer):
            answer = answer(dict(arguments))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def begin(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """A change is a job that has ended at the second look."""
        result = await self.perform(verb, arguments)
        job = Job(19, verb, "PriRG", JobState.RUNNING, 1.0, result=encode(result).decode())
        return Begun(JobReport(job), 600.0, 1e12)

    async def look(self, begun: Begun) -> Begun:
        done = attrs.evolve(begun.report.job, state=JobState.DONE, ended_unix=2.0)
        return attrs.evolve(begun, report=JobReport(done))

    async def close(self) -> None:
        return None


def dashboard(
    view: FabricView, client: TableClient | None = None, look: Look | None = None, **options: Any  # noqa: ANN401
) -> Dashboard:  # fmt: skip
    """A dashboard that shows a view and listens to nobody."""
    app = Dashboard(
        attrs.evolve(OPTIONS, **options), view=view, look=look, clock=lambda: states.NOW + 30
    )
    app.client = cast("FabricClient", client or TableClient())
    return app


def replay(reel: Reel, client: TableClient) -> Dashboard:
    """A dashboard that shows the end of a recording."""
    app = Dashboard(attrs.evolve(OPTIONS, reel=reel))
    app.client = cast("FabricClient", client)
    return app


def text_of(app: Dashboard) -> str:
    """What is to be seen on the upper screen."""
    assert isinstance(app.screen, Sheet), app.screen
    return app.screen.paper.text
