"""The text of a lab, read from its Markdown file.

Always true:

(1) A lab is one file that a person can read: a story, tasks with their hints, one question that no
    program grades.
(2) `{name}` in a text is a fact of the lab; it is filled in when the lab is begun.

    # Lab 1: Find two places that do not die together
    goal: identify, discover, classify
    minutes: 15

    The story …

    ## Task 1: Look before you take
    What is to be done …

    hint (0.5): what helps, when it is asked for

    ## In your own words
    The question …
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from srshell.model.errors import SrError

_TITLE = re.compile(r"# Lab (\d+): (.+)")
_TASK = re.compile(r"## Task (\d+): (.+)")
_HINT = re.compile(r"hint \((\d+(?:\.\d+)?)\): (.+)", re.DOTALL)
_QUESTION = "## In your own words"


@attrs.frozen
class Hint:
    """What helps, and what it costs."""

    text: str
    points: float


@attrs.frozen
class Task:
    """One task: what is to be done, and the hints that can be asked for."""

    number: int
    title: str
    text: str
    hints: tuple[Hint, ...]


@attrs.frozen
class Book:
    """The text of one lab."""

    number: int
    name: str
    title: str
    goal: str
    minutes: int
    story: str
    tasks: tuple[Task, ...]
    question: str

    def task(self, number: int) -> Task:
        """One task.

        Raises:
            SrError: SR0105, there is none with that number.
        """
        for task in self.tasks:
            if task.number == number:
                return task
        facts = f"tasks: {', '.join(str(task.number) for task in self.tasks)}"
        raise SrError.make(
            "SR0105", facts=facts, mend="srshell lab task", noun="task", name=str(number)
        )


def fill(text: str, facts: Mapping[str, object]) -> str:
    """A text with its facts filled in; braces that name none stay."""

    def value(match: re.Match[str]) -> str:
        return str(facts.get(match[1], match[0]))

    return re.sub(r"\{(\w+)\}", value, text)


def read_book(path: Path) -> Book:
    """Read the text of a lab.

    Raises:
        SrError: SR9801, it is not written as a lab is.
    """
    sections = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    title, *head = sections[0].splitlines()
    found = _TITLE.fullmatch(title)
    if found is None:
        raise _unreadable(path, f"it begins with {title!r}, not with '# Lab NUMBER: TITLE'")
    fields, story = _fields(head)
    tasks, question = [], ""
    for section in sections[1:]:
        first, _, rest = section.partition("\n")
        if first.strip() == _QUESTION:
            question = rest.strip()
            continue
        tasks.append(_task(path, first, rest))
    if [task.number for task in tasks] != list(range(1, len(tasks) + 1)) or not tasks:
        raise _unreadable(path, "its tasks are not numbered from 1")
    try:
        minutes = int(fields["minutes"])
        goal = fields["goal"]
    except (KeyError, ValueError) as error:
        raise _unreadable(path, f"after the title stand goal: and minutes: ({error})") from error
    return Book(
        int(found[1]), path.parent.name, found[2], goal, minutes, story, tuple(tasks), question
    )


def _fields(lines: list[str]) -> tuple[dict[str, str], str]:
    """The fields under the title, and the story after them."""
    fields: dict[str, str] = {}
    at = 0
    for at, line in enumerate(lines):  # noqa: B007 - the story begins where this ends
        name, colon, value = line.partition(":")
        if colon and name in {"goal", "minutes"}:
            fields[name] = value.strip()
        elif line.strip():
            break
    return fields, "\n".join(lines[at:]).strip()


def _task(path: Path, first: str, rest: str) -> Task:
    found = _TASK.fullmatch(first.strip())
    if found is None:
        raise _unreadable(path, f"{first!r} is not '## Task NUMBER: TITLE'")
    texts, hints = [], []
    for paragraph in re.split(r"\n\s*\n", rest.strip()):
        hint = _HINT.fullmatch(paragraph.strip())
        if hint is None:
            texts.append(paragraph)
        else:
            hints.append(Hint(" ".join(hint[2].split()), float(hint[1])))
    return Task(int(found[1]), found[2], "\n\n".join(texts).strip(), tuple(hints))


def _unreadable(path: Path, facts: str) -> SrError:
    return SrError.make("SR9801", facts=facts, file=str(path))
