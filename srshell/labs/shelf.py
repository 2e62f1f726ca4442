"""Which labs there are, and where their texts and their desks lie.

Always true: a lab is a folder with ``lab.md`` and ``desk.py``; labs that ship with the package and
those of a teacher (`srshell lab new`) are read in the same way.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType

import attrs

from srshell.labs.book import Book, read_book
from srshell.labs.desk import Check, Checks, Desk, Facts
from srshell.model.errors import SrError
from srshell.model.identity import unknown

#: Folders with more labs, as in PATH.
MORE_LABS = "SRSHELL_LABS_PATH"
#: Where sandboxes and progress are kept.
LABS_HOME = "SRSHELL_LABS"


@attrs.frozen
class Lab:
    """One lab: its text and what its desk does."""

    book: Book
    folder: Path
    checks: tuple[Check, ...]
    facts: Callable[[Random], Facts]
    begin: Callable[[Desk, int], None]
    play: Callable[[Desk, int], str] | None

    @property
    def points(self) -> float:
        """The most that can be earned."""
        return sum(check.points for check in self.checks)

    def checks_of(self, task: int) -> tuple[Check, ...]:
        """The checks of a task."""
        return tuple(check for check in self.checks if check.task == task)


def labs_home() -> Path:
    """Where sandboxes and progress are kept."""
    named = os.environ.get(LABS_HOME)
    if named:
        return Path(named).absolute()
    from platformdirs import user_data_path

    return user_data_path("srshell") / "labs"


def texts() -> Path:
    """The folder of the labs that ship with srshell."""
    packed = Path(__file__).with_name("texts")
    return packed if packed.is_dir() else Path(__file__).parents[2] / "labs" / "student"


def keys() -> Path:
    """The folder of their answer keys, which students do not get."""
    return Path(__file__).parents[2] / "labs" / "keys"


def folders() -> list[Path]:
    """The folders of all labs."""
    more = [Path(path) for path in os.environ.get(MORE_LABS, "").split(os.pathsep) if path]
    found = [path.parent for root in (texts(), *more) for path in root.glob("*/lab.md")]
    return sorted(set(found))


def books() -> list[Book]:
    """The texts of all labs, in the order of the course."""
    return sorted((read_book(folder / "lab.md") for folder in folders()), key=lambda b: b.number)


def find_lab(name: str) -> Lab:
    """A lab by its number or its name.

    Raises:
        SrError: SR0105, there is none; SR9801, it is not written as a lab is.
    """
    wanted = name.strip().lower()
    for folder in folders():
        book = read_book(folder / "lab.md")
        if wanted in {book.name, str(book.number), f"{book.number:02}"}:
            return _open(folder, book)
    raise unknown("lab", name, [book.name for book in books()], mend="srshell lab list")


def load(path: Path, name: str) -> ModuleType:
    """Run a Python file of a lab.

    Raises:
        SrError: SR9801, it cannot be run.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SrError.make("SR9801", facts="there is no such file", file=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SrError.make("SR9801", facts=f"{type(error).__name__}: {error}",
                           file=str(path)) from error  # fmt: skip
    return module


def _open(folder: Path, book: Book) -> Lab:
    """A lab whose text is read already."""
    path = folder / "desk.py"
    module = load(path, f"srshell_lab_{book.name}")
    missing = [name for name in ("check", "facts", "begin") if not hasattr(module, name)]
    if missing:
        raise SrError.make("SR9801", facts=f"it has no {missing[0]}", file=str(path))
    checks: Checks = module.check
    numbers = {task.number for task in book.tasks}
    if {check.task for check in checks.found} != numbers:
        facts = "every task has a check, and every check a task"
        raise SrError.make("SR9801", facts=facts, file=str(path))
    play = getattr(module, "play", None)
    return Lab(book, folder, tuple(checks.found), module.facts, module.begin, play)
