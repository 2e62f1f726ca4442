"""The cell of `%%plan`: commands that are planned as one.

Always true:

(1) A cell of a plan changes nothing; each of its lines is planned where those before were done.
(2) A line that cannot be read or would be refused is named, and nothing is planned then.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from srshell.fabric.calls import Call

HELP = """\
%%plan [-o NAME] [--save FILE]
    Plan the commands of the cell as one, and change nothing. Each line is planned on a copy of the
    fabric on which the lines before it were carried out; what would be refused is refused here,
    with its line. The plan shows the steps, what the rules measured, what it takes in bytes and
    seconds, what is not to be had meanwhile, and how it is undone.

    A line is a command as it is typed, with or without its percent sign; variables are filled in.
    --confirm is left for the moment when the plan is carried out. Lines that look are left out.
    -o NAME stores the plan in a variable, --save FILE writes it to a file.

    %%plan -o over
    %failover PriRG --planned
    %failback RecRG

    %apply over --confirm RecRG,PriRG    carries it out; refused when the fabric has changed since
"""


@attrs.frozen
class PlanCell:
    """What the first line of a cell asks for."""

    name: str = ""
    file: str = ""

    @classmethod
    def read(cls, line: str) -> PlanCell:
        """Read the words after ``%%plan``.

        Raises:
            SrError: SR0001, they are none that it knows.
        """
        from srshell.fabric.calls import unreadable

        words = shlex.split(line)
        found = dict(zip(words[::2], words[1::2], strict=False))
        known = {"-o", "--save"}
        if len(words) % 2 or not set(found) <= known or len(found) * 2 != len(words):
            raise unreadable("", f"%%plan does not know {line.strip()!r}", "it takes: -o, --save")
        name = found.get("-o", "")
        if name and not name.isidentifier():
            raise unreadable("", "-o needs the name of a variable")
        return cls(name, found.get("--save", ""))

    def keep(self, report: Any, variables: MutableMapping[str, Any]) -> Any:  # noqa: ANN401
        """Store the plan where it was asked for, and return it."""
        from srshell.model.errors import SrError
        from srshell.model.report import encode

        if self.file:
            try:
                Path(self.file).expanduser().write_bytes(encode(report) + b"\n")
            except OSError as error:
                facts = error.strerror or str(error)
                raise SrError.make("SR0105", facts, noun="file", name=self.file) from error
            print(f"written: {self.file}")
        if self.name:
            variables[self.name] = report
        return report


def read_cell(cell: str, names: Mapping[str, object]) -> Call:
    """The call that plans the commands of a cell.

    Raises:
        SrError: SR0001 or SR0002, a line cannot be read; SR0108, it cannot be planned.
    """
    from srshell.fabric.applying import in_line, plan_of_calls
    from srshell.fabric.calls import parse_words

    calls = []
    for number, text in _lines(cell):
        with in_line(number, text):
            calls.append(parse_words(_words(text, names)))
    return plan_of_calls(calls)


def _lines(cell: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers; a backslash at the end joins two."""
    begun, start = "", 0
    for number, line in enumerate(cell.splitlines(), 1):
        start = start if begun else number
        begun += line.rstrip()
        if begun.endswith("\\"):
            begun = begun[:-1]
            continue
        if begun.strip() and not begun.lstrip().startswith("#"):
            yield start, begun.strip()
        begun = ""
    if begun.strip():
        yield start, begun.strip()


def _words(text: str, names: Mapping[str, object]) -> list[str]:
    """The words of a line: a magic with its percent sign, or a command without."""
    from srshell_magics.names import MAGICS
    from srshell_magics.words import read_words

    if not text.startswith("%"):
        return MAGICS["sr"].to_words(read_words(text, names))
    name, _, rest = text[1:].partition(" ")
    magic = MAGICS.get(name)
    if magic is None:
        return [name, *read_words(rest, names)]  # which the registry refuses, with what is near
    return magic.to_words(read_words(rest, names))
