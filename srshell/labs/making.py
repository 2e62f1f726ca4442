"""`srshell lab new`: a lab to begin with, which already works.

Always true: what is made passes `srshell lab class`; nothing that exists is written over.
"""

from __future__ import annotations

from pathlib import Path

from srshell.labs.shelf import books
from srshell.model.errors import SrError

_TEXT = """# Lab {number}: {title}
goal: what it teaches, in a few words
minutes: 15

The story: who needs what, and why. The array must be named `{{name}}`.

## Task 1: The first thing to do

What is to be done. Storage may be taken in `{{east}}`.

hint (0.5): What helps, when it is asked for: `%discover`.

## In your own words

One question that no program grades.
"""
_DESK = '''"""What the lab {title} lays out, and what it checks."""

from __future__ import annotations

from pathlib import Path
from random import Random

from srshell.labs.desk import Checks, Desk, Facts, Verdict, judged, undecided

check = Checks()


def facts(dice: Random) -> Facts:
    """What the seed decides; a path stands for a place in the sandbox."""
    return {{"east": Path("east"), "name": dice.choice(["ClusterA", "Storage1"])}}


def begin(desk: Desk, task: int) -> None:
    """Make what a task begins with, in an empty sandbox."""
    Path(str(desk.facts["east"])).mkdir()


@check(task=1, points=2, name="the array is there")
def is_there(desk: Desk) -> Verdict:
    """Look at the fabric, never at what was typed."""
    names = [array.name for array in desk.fabric.arrays()]
    if not names:
        return undecided("there is no array yet")
    return judged(desk.facts["name"] in names, f"arrays: {{', '.join(names)}}")
'''
_KEY = '''"""The answers to the lab {title}, and the mistakes that its checks must see."""

from __future__ import annotations

from srshell.labs.hand import Hand


def play(hand: Hand) -> None:
    """First wrong, then right."""
    hand.do("discover {{east}} --as Wrong")
    hand.fails(1, "the array is there")
    hand.do("rename Wrong {{name}}")
    hand.passes(1)
'''


def make_lab(folder: Path) -> Path:
    """Make a lab in a new folder, whose name is the name of the lab.

    Raises:
        SrError: SR0003, the name cannot be one of a lab; SR0103, the folder is there already.
    """
    folder = folder.absolute()
    title = folder.name
    if not title.isidentifier():
        facts = "letters, digits and _; a letter first"
        raise SrError.make("SR0003", facts=facts, text=title, noun="lab")
    if folder.exists():
        raise SrError.make("SR0103", facts=f"{folder} is there", mend="srshell lab list",
                           noun="lab", name=title)  # fmt: skip
    number = 1 + max((book.number for book in books()), default=0)
    try:
        folder.mkdir(parents=True)
        for name, text in (("lab.md", _TEXT), ("desk.py", _DESK), ("key.py", _KEY)):
            filled = text.format(number=number, title=title)
            folder.joinpath(name).write_text(filled, encoding="utf-8")
    except OSError as error:
        raise SrError.make("SR9220", facts=error.strerror or str(error), operation="write",
                           file=str(folder)) from error  # fmt: skip
    return folder
