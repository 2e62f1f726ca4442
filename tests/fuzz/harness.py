"""A small fuzzer: makes inputs from seeds by mutation, and looks at what a reader does with them.

Always true:

(1) Input number ``i`` of a target is the same each time: it depends on the target, its corpus and
    ``i`` alone.
(2) A reader may refuse input by the errors that it documents.  Any other exception, a hang, memory
    that grows, and a value that the writer would not have written are violations.
(3) A violation is kept as a file, which belongs into the corpus once it is mended.
"""

from __future__ import annotations

import random
import resource
import signal
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

import attrs

CORPUS: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path("build") / "fuzz"
#: An input that keeps the processor busy for longer than this hangs.
HANG_SECONDS: Final = 10
#: How much the process may grow over all inputs of a run, once it is warm.
GROWTH_BYTES_MAX: Final = 64 * 1024 * 1024
_WARM_INPUTS: Final = 1000
_PACE: Final = 0x9E3779B97F4A7C15
_BOUNDARIES: Final = (
    0, 1, 2, 3, 4, 7, 8, 16, 23, 24, 63, 64, 127, 128, 255, 256, 511, 512, 4095, 4096, 4097, 65535,
    65536, 1 << 20, 1 << 24, (1 << 25) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32,
    (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
_WIDTHS: Final = ("<H", ">H", "<I", ">I", "<Q", ">Q")


class Violation(Exception):
    """A reader did what it must never do."""


class Target(Protocol):
    """Something that reads input of others."""

    @property
    def name(self) -> str:
        """Name of the target and of the folder of its corpus."""

    def seeds(self) -> Sequence[bytes]:
        """Inputs that a writer could have made."""

    def make(self, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
        """A new input: mutated, and mended in those places that would end its reading at once."""

    def check(self, data: bytes) -> None:
        """Read input.  Raises `Violation`, or anything else that a reader must not raise."""


@attrs.frozen
class Finding:
    """An input that broke a promise."""

    target: str
    number: int
    data: bytes = attrs.field(repr=False)
    problem: str

    def keep(self) -> Path:
        """Write the input down, for the corpus; returns where it lies."""
        folder = FOUND / self.target
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{zlib.crc32(self.data):08x}.bin"
        path.write_bytes(self.data)
        return path


def corpus(target: str) -> list[tuple[str, bytes]]:
    """The inputs kept for a target, by file name."""
    paths = sorted((CORPUS / target).glob("*"))
    return [(path.name, path.read_bytes()) for path in paths if path.is_file()]


def run(target: Target, numbers: range, findings_max: int = 10) -> list[Finding]:
    """Try the inputs of these numbers; ends early once so many broke a promise."""
    seeds = [*target.seeds(), *(data for _, data in corpus(target.name))]
    salt = zlib.crc32(target.name.encode())
    dice = random.Random()
    findings: list[Finding] = []
    warm_bytes = 0
    with _watchdog():
        for number in numbers:
            if number - numbers.start == min(_WARM_INPUTS, len(numbers) // 2):
                warm_bytes = _peak_bytes()
            dice.seed(number * _PACE ^ salt)
            data = target.make(dice, seeds)
            problem = attempt(target, data)
            if problem:
                findings.append(Finding(target.name, number, data, problem))
            if len(findings) >= findings_max:
                break
    grown_bytes = _peak_bytes() - warm_bytes
    if grown_bytes > GROWTH_BYTES_MAX:
        findings.append(Finding(target.name, numbers.stop, b"", f"{grown_bytes} bytes of growth"))
    return findings


def attempt(target: Target, data: bytes) -> str:
    """What is wrong with reading an input; empty when nothing is."""
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    try:
        target.check(data)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever escapes is a finding
        return f"{type(error).__name__}: {error}"
    return ""


@contextmanager
def _watchdog() -> Iterator[None]:
    """Turn an input that takes too long into an exception inside the reader."""

    def bark(_number: int, _frame: FrameType | None) -> None:
        raise Violation(f"it takes more than {HANG_SECONDS} s")

    before = signal.signal(signal.SIGPROF, bark)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# What mutators are made of.


def mutated(
    dice: random.Random, data: bytes, others: Sequence[bytes], changes_max: int = 4
) -> bytes:
    """Bytes with a few things changed."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, changes_max)):
        _CHANGES[int(dice.random() * len(_CHANGES))](dice, changed, others)
    return bytes(changed)


def _flip(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    if data:
        data[int(dice.random() * len(data))] ^= 1 << int(dice.random() * 8)


def _byte(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    if data:
        data[int(dice.random() * len(data))] = int(dice.random() * 256)


def _number(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    width = dice.choice(_WIDTHS)
    size = struct.calcsize(width)
    if len(data) >= size:
        at = int(dice.random() * (len(data) - size + 1))
        struct.pack_into(width, data, at, boundary(dice) % (1 << 8 * size))


def _insert(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    data[at:at] = dice.randbytes(dice.randint(1, 8))


def _delete(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    del data[at : at + dice.randint(1, 8)]


def _cut(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    del data[int(dice.random() * (len(data) + 1)) :]


def _repeat(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    data[at:at] = data[at : at + dice.randint(1, 64)]


def _splice(dice: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = dice.choice(others)
    start = int(dice.random() * (len(other) + 1))
    at = int(dice.random() * (len(data) + 1))
    data[at:] = other[start:]


_CHANGES: Final = (
    _flip,
    _flip,
    _byte,
    _byte,
    _number,
    _number,
    _insert,
    _delete,
    _cut,
    _repeat,
    _splice,
)


def boundary(dice: random.Random) -> int:
    """A number beside which readers like to stumble."""
    return max(0, dice.choice(_BOUNDARIES) + dice.choice((-1, 0, 0, 0, 1)))


def pieces(data: bytes) -> Iterator[bytes]:
    """The same bytes in uneven pieces, as a network delivers them."""
    start, size = 0, 1 + len(data) % 7
    while start < len(data):
        yield data[start : start + size]
        start += size
        size = size * 5 % 8191 + 1
