"""The cell ``%%vmm``: statements read, mended, run one by one, each shown as what it became.

Always true:

(1) All statements are read before the first is run: a cell that cannot be read changes nothing.
(2) Each statement shows the command of srshell that it became; what was mended or left out is
    said.
(3) The first refusal ends the cell and says which statements were not run; variables stay.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from srshell.fabric.calls import unreadable
from srshell.model.errors import SrError
from srshell.model.printable import printable
from srshell.model.report import PlanReport
from srshell_magics.vmm import nodes
from srshell_magics.vmm.evaluating import Evaluator, Scope
from srshell_magics.vmm.listing import Listing
from srshell_magics.vmm.mending import Mended, is_prose, mended
from srshell_magics.vmm.reading import read
from srshell_magics.vmm.statements import Statement, statements
from srshell_magics.vmm.values import items_of

if TYPE_CHECKING:
    from srshell_magics.console import Console

_WIDTH = 100


@attrs.frozen
class _Step:
    """A statement that was read."""

    statement: Statement
    mended: Mended
    node: nodes.Node


@attrs.define
class _Teller:
    """Carries the commands of one cell out, and says what it does."""

    console: Console
    strict: bool

    def run(self, words: list[str]) -> Any:  # noqa: ANN401 - the command's report
        """Carry out a command, shown as it would be typed."""
        self._say(f"= {shlex.join(['srshell', *words])}")
        return self.console.perform(words)

    def look(self, words: list[str]) -> Any:  # noqa: ANN401
        """Look something up, without a word."""
        return self.console.perform(words, quiet=True)

    def note(self, text: str) -> None:
        """Say something about the statement."""
        self._say(f"· {text}")

    def _say(self, text: str) -> None:
        line = "".join(char if char.isprintable() else "\ufffd" for char in text)
        print(f"    {line}")


@attrs.define(eq=False)
class Cell:
    """Runs cells for one shell; its variables stay from one cell to the next."""

    console: Console
    own: dict[str, Any] = attrs.Factory(dict)

    def run(self, cell: str, notebook: Mapping[str, Any], *, strict: bool) -> None:
        """Run a cell.

        Args:
            cell: what was typed or pasted.
            notebook: the variables of the notebook, which the cell may read.
            strict: mend nothing, and do nothing that no line asks for.

        Raises:
            SrError: a statement cannot be read or was refused.
        """
        steps = self._read(cell, strict=strict)
        scope = Scope(self.own, notebook)
        evaluator = Evaluator(scope, _Teller(self.console, strict))
        for number, step in enumerate(steps):
            _announce(step)
            try:
                value = evaluator.run(step.node)
            except (SrError, KeyboardInterrupt) as problem:
                _tell_rest(step, steps[number + 1 :])
                if isinstance(problem, SrError) and problem.mend == "srshell --help":
                    problem.mend = "%vmm --help"  # the cell's own words, not those of a command
                raise
            self._show(step.node, value)

    def _read(self, cell: str, *, strict: bool) -> list[_Step]:
        steps = []
        prose: list[str] = []

        def leave_out(line: str) -> bool:
            if strict or not is_prose(line):
                return False
            prose.append(line)
            return True

        for statement in statements(cell, leave_out):
            done = Mended(statement.text) if strict else mended(statement.text)
            try:
                steps.append(_Step(statement, done, read(done.text)))
            except SrError as error:
                problem = error.message.removeprefix("This command cannot be read: ").rstrip(".")
                facts = f"line {statement.line}: {_short(statement.text)}"
                if error.code == "SR0001":
                    wrong = unreadable("", f"line {statement.line}: {problem}", facts)
                    wrong.mend = "%vmm --help"
                    raise wrong from None
                raise
        if prose:
            print(f"{len(prose)} lines of prose left out")
        return steps

    def _show(self, node: nodes.Node, value: object) -> None:
        """Show what a statement that looks hands on; a change has said its line already."""
        from IPython.display import display

        if isinstance(value, Listing | PlanReport):
            display(value)  # type: ignore[no-untyped-call]
        elif value is not None and _looks(node):
            plain = isinstance(value, str | int | float | bool)
            shown = value if plain else Listing.of(items_of(value), [], as_table=False)
            display(shown)  # type: ignore[no-untyped-call]


def _looks(node: nodes.Node) -> bool:
    """Whether a statement shows something: an expression, or cmdlets that only get."""
    match node:
        case nodes.Assignment():
            return False
        case nodes.Pipeline():
            return all(_looks(element) for element in node.elements)
        case nodes.Command():
            return not node.name.lower().startswith(("set-", "new-", "remove-", "read-"))
        case _:
            return True


def _announce(step: _Step) -> None:
    print(f"{step.statement.line:>3}  {_short(printable(step.mended.text))}")
    for why in step.mended.why:
        print(f"    ~ mended: {why}")


def _tell_rest(step: _Step, rest: list[_Step]) -> None:
    if rest:
        lines = ", ".join(str(each.statement.line) for each in rest[:8])
        more = "" if len(rest) <= 8 else ", …"  # noqa: PLR2004
        print(f"    line {step.statement.line} ended the cell; not run: {lines}{more}")


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
