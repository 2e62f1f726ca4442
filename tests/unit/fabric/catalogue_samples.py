"""A catalogue with the article's example in it, and what it can say about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from srshell.fabric.catalogue import Catalogue
from srshell.fabric.catalogue_rows import KINDS
from srshell.model.errors import SrError
from srshell.model.inventory import (
    Operation,
    Step,
    Vm,
)
from tests.unit.fabric.world import A, B, partnership, snapshot

OPERATION = Operation("a" * 32, "failover", "1" * 32, A, B, 1, 2, (Step("seal", "seal PriRG"),))


def fill(catalogue: Catalogue) -> None:
    """Store the article's example and a little history."""
    known = snapshot()
    with catalogue.transaction():
        for objects in attrs.asdict(known, recurse=False).values():
            if isinstance(objects, tuple):
                catalogue.put(*objects)
        catalogue.put(partnership(), Vm("DemoVM", "PrimaryVol", "PriRG", A), OPERATION)
        catalogue.new_job("refresh", A, 1.0)
        for number in range(5):
            catalogue.append_event(float(number), "info", A, "SR5003", f"refresh {number}")


def contents(path: Path) -> dict[str, Any]:
    """Everything that a catalogue can say."""
    with Catalogue.open(path) as catalogue:
        return {
            "snapshot": catalogue.snapshot(),
            "jobs": catalogue.jobs(),
            "events": catalogue.events(),
            "operations": catalogue.unfinished_operations(),
            **{cls.__name__: catalogue.all(cls) for cls in KINDS},
        }


def contents_or_code(path: Path) -> tuple[str, dict[str, Any]]:
    """What a catalogue says, or the code with which it is refused."""
    try:
        return "", contents(path)
    except SrError as error:
        return error.code, {}
