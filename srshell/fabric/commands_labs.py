"""The lab commands: for students, and for those who teach them.

Always true: a lab has a fabric of its own; none of these commands touches any other.
"""

from __future__ import annotations

from srshell.fabric.command_parts import choice, flag, option, word
from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind, Noun, Role

_TASK = Argument(
    "task",
    "number of the task; the first open one when not given",
    kind=Kind.NUMBER,
    required=False,
    metavar="TASK",
)
_LAB = word("lab", "number or name of the lab", Noun.LAB, "LAB")


def _lab(
    name: str, summary: str, example: str, arguments: tuple[Argument, ...] = ()
) -> CommandSpec:
    return CommandSpec(
        f"lab {name}", "", summary, f"srshell lab {example}", Effect.RUNS, arguments,
        role=Role.VIEWER,
    )  # fmt: skip


LABS = (
    _lab("list", "List the labs, and how far you are", "list"),
    _lab(
        "start",
        "Begin a lab in a sandbox of its own, or go on with it",
        "start 1",
        (
            _LAB,
            option("--seed", "what is decided by dice is decided by this", kind=Kind.NUMBER),
            flag("--fresh", "begin it anew"),
        ),
    ),
    _lab("task", "Show a task of the lab that was begun last", "task", (_TASK,)),
    _lab("play", "Let happen what a task is about: its faults and its load", "play", (_TASK,)),
    _lab(
        "check",
        "Look at the fabric and the data, and say what a task still lacks",
        "check",
        (
            _TASK,
            flag("--every", "all tasks"),
            flag("--points", "return the points as a number, as graders of notebooks want it"),
        ),
    ),
    _lab("hint", "Show the next hint of a task; it costs points", "hint", (_TASK,)),
    _lab(
        "answer",
        "Write down a figure that a task asks for",
        "answer p50 3.1ms",
        (word("name", "what was asked for", metavar="NAME"), word("value", "the figure")),
    ),
    _lab("progress", "Show how far each task is", "progress"),
    _lab("reset", "Put the sandbox back to where a task begins", "reset", (_TASK,)),
    _lab(
        "stop",
        "Stop the sandbox of the lab; it can be begun again where it was",
        "stop",
        (flag("--remove", "remove it and what was reached, too"),),
    ),
    _lab(
        "notebook",
        "Make the notebook of a lab from its text",
        "notebook 1 -o lab-1.ipynb",
        (
            _LAB,
            Argument(
                "output",
                "where; lab-NAME.ipynb here when not given",
                flags=("-o", "--output"),
                noun=Noun.PLACE,
                required=False,
                metavar="FILE",
            ),
            choice("--for", "who grades it", ("nobody", "nbgrader", "otter"), "nobody"),
        ),
    ),
    _lab(
        "export",
        "Write what was reached in all labs",
        "export --to csv",
        (choice("--to", "form of the table", ("json", "csv"), "json"),),
    ),
    _lab("new", "Make a lab to begin with", "new mine", (word("place", "folder", Noun.PLACE),)),
    _lab(
        "grade",
        "Run a student's notebook again under seeds that the student has not seen",
        "grade lab-1.ipynb --seeds 3",
        (
            word("notebook", "the notebook", Noun.PLACE),
            option("--seeds", "how many; 3", kind=Kind.NUMBER),
            option("--from", "the first of them; drawn by lot", kind=Kind.NUMBER, name="first"),
        ),
    ),
    _lab(
        "class",
        "Play labs with the right answers and with wrong ones, under many seeds",
        "class --seeds 30",
        (
            option("--seeds", "how many; 1", kind=Kind.NUMBER),
            option("--from", "the first of them; 1", kind=Kind.NUMBER, name="first"),
            option("--lab", "this one alone", Noun.LAB, name="only"),
        ),
    ),
)
