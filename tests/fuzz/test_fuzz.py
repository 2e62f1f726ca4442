"""Every reader of bytes and words of others stands its corpus and a slice of the long runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest

from srshell.codec import log_frame, map_page, superblock
from srshell.codec.errors import FormatError
from srshell.export import nbd_requests
from srshell.export.nbd_numbers import Command
from srshell.model import printable
from srshell.replication import scan
from srshell.site import labels
from tests.fuzz import on_disk, on_text
from tests.fuzz.harness import Violation, attempt, corpus, run
from tests.fuzz.targets import TARGETS

#: Inputs of each target in one run of the tests; `python -m tests.soak` tries a million.
SLICES = {
    "nbd": 3000,
    "link": 15000,
    "log": 8000,
    "superblock": 20000,
    "bitmap": 20000,
    "checksums": 20000,
    "magic": 800,
    "control": 8000,
    "rpc": 15000,
    "label": 8000,
    "text": 2500,
}


def test_every_target_has_a_slice_and_a_corpus() -> None:
    """A target that is never tried proves nothing."""
    assert set(SLICES) == set(TARGETS)
    assert {name for name in TARGETS if not corpus(name)} == set()


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_breaks_no_promise(name: str) -> None:
    """It holds what was found once, and what reaches deep."""
    target = TARGETS[name]()
    problems = {file: attempt(target, data) for file, data in corpus(name)}
    assert {file: problem for file, problem in problems.items() if problem} == {}


@pytest.mark.parametrize("name", TARGETS)
def test_a_slice_of_random_input_breaks_no_promise(name: str) -> None:
    """Other inputs in every run of a day would find more and repeat nothing: these repeat."""
    first = int(os.environ.get("SRSHELL_FUZZ_FROM", "0"))
    findings = run(TARGETS[name](), range(first, first + SLICES[name]))
    assert findings == []


# The harness finds what it is for: each of these bugs is planted, and caught.


@attrs.frozen
class Bug:
    """A planted bug, and in which target it must show."""

    target: str
    place: Any
    name: str
    wrong: Callable[..., Any]
    inputs: int = 3000


def _rules_without_read_only() -> dict[int, Any]:
    rule = attrs.evolve(nbd_requests._RULES[Command.WRITE], changes=False)
    return {**nbd_requests._RULES, Command.WRITE: rule}


class _Everything:
    """A container that holds whatever it is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


BUGS = (
    Bug("nbd", nbd_requests, "_RULES", _rules_without_read_only),
    Bug("nbd", nbd_requests, "REQUEST_BYTES_MAX", lambda: 1 << 26),
    Bug("log", scan.LogScan, "_proves_damage", lambda: lambda *_: True),
    Bug("log", log_frame, "crc32", lambda: lambda _data, _value=0: 0),
    Bug("superblock", superblock, "bodies", lambda: lambda *_: _Everything()),
    Bug("superblock", superblock, "UNREADABLE", lambda: (msgspec.MsgspecError,)),
    Bug("bitmap", map_page, "_RESERVE", lambda: memoryview(b"")),
    Bug("label", labels, "_check_label", lambda: lambda *_: None),
    Bug("text", printable, "_UNFIT", lambda: frozenset({"Cc"})),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.target}-{bug.name}")
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a few thousand inputs."""
    monkeypatch.setattr(bug.place, bug.name, bug.wrong())
    assert run(TARGETS[bug.target](), range(bug.inputs), findings_max=1)


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that never comes back is interrupted, and told."""
    monkeypatch.setattr("tests.fuzz.harness.HANG_SECONDS", 0.05)

    def forever(*_arguments: object, **_named: object) -> None:
        while True:
            pass

    monkeypatch.setattr(on_disk, "_judge", forever)
    findings = run(TARGETS["log"](), range(20), findings_max=1)
    assert "more than" in findings[0].problem


def test_inputs_repeat() -> None:
    """A number names the same input on every machine."""
    target = TARGETS["superblock"]()

    class Noted:
        name = target.name
        seeds = staticmethod(target.seeds)
        make = staticmethod(target.make)
        noted: tuple[bytes, ...] = ()

        def check(self, data: bytes) -> None:
            self.noted += (data,)

    first, second = Noted(), Noted()
    run(first, range(50))
    run(second, range(50))
    assert first.noted == second.noted
    assert len(set(first.noted)) > 40


def test_the_checks_of_text_are_not_blind() -> None:
    """What they look for is what they find."""
    with pytest.raises(Violation):
        on_text.expect_harmless("a\x1bb")
    with pytest.raises(Violation):
        on_text.expect_plain_html('<p><img src="x" onerror="y"></p>')
    assert issubclass(FormatError, ValueError)
