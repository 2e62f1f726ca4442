"""`%lab`: labs in a shell; who begins one speaks to its sandbox from then on.

Always true: after `%lab start` and `%lab reset` every command of this shell goes to the sandbox of
the lab, and to no other fabric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srshell.labs.student import Student
from srshell.labs.verbs import perform
from srshell.model.report import LabCheckReport
from srshell_magics import display
from srshell_magics.connection import Connection, Wanted

if TYPE_CHECKING:
    from srshell.fabric.calls import Call

#: Commands after which the shell speaks to the sandbox.
_ATTACHING = frozenset({"lab start", "lab reset"})
#: Commands that work in the sandbox of a lab which another process may have begun.
_INSIDE = frozenset({"lab task", "lab play", "lab check", "lab hint", "lab progress"})


class Points(float):
    """Points that show themselves as a number alone, as graders of notebooks read them."""

    def __repr__(self) -> str:
        return f"{float(self):g}"


class LabMagic:
    """The lab commands of one shell."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._student = Student()

    def run(self, call: Call) -> object:
        """Carry out a lab command."""
        name = call.spec.name
        if name in _ATTACHING:
            self._connection.close()
        report = perform(self._student, name, call.arguments)
        if name in _ATTACHING or (name in _INSIDE and self._connection.connected is None):
            path = str(self._student.begun().desk.fabric_path)
            self._connection.attach(Wanted(path, start=True, sandbox=True))
        if isinstance(report, LabCheckReport) and call.arguments.get("points"):
            print(display.to_text(display.make_page(display.to_json(report))))
            return Points(report.points)
        return report
