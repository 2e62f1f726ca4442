"""Rules of sharing: the common rate of copies, and what the copy of one group may take.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from srshell.fabric.findings import Findings, Verdict
from srshell.fabric.snapshot import View
from srshell.model.copying import PRIORITY_DEFAULT, PRIORITY_MAX, RATE_MIN
from srshell.model.errors import SrError
from srshell.model.geometry import format_size, parse_size

UNLIMITED = "unlimited"


def read_rate(rate: int | str) -> int:
    """Bytes per second; 0 for as fast as it goes.

    Raises:
        SrError: SR0005, it is no rate, or a copy would seem to stand still at it.
    """
    if rate == 0 or (isinstance(rate, str) and rate.strip() in {UNLIMITED, "0"}):
        return 0
    facts = f"examples: 50M, 1.5G/s, {UNLIMITED}; at least {format_size(RATE_MIN)} a second"
    try:
        size_bytes = parse_size(rate.strip().removesuffix("/s") if isinstance(rate, str) else rate)
    except SrError as error:
        raise SrError.make("SR0005", facts=facts, text=ascii(rate), noun="rate") from error
    if size_bytes < RATE_MIN:
        raise SrError.make("SR0005", facts=facts, text=ascii(rate), noun="rate")
    return size_bytes


def check_copy_rate(view: View, rate: int | str) -> Verdict:
    """Whether all copies may be held to a rate."""
    findings = Findings(view)
    bytes_per_second = _rate(findings, rate, "srshell copies set 100M")
    known = view.snapshot.copy_bytes_per_second
    return findings.verdict("the rate is that already" if known == bytes_per_second else "")


def check_copy_terms(
    view: View, group: str, rate: int | str | None, priority: int | None
) -> Verdict:
    """Whether the copy of a group may be held to these terms: the group has to be protected."""
    findings = Findings(view)
    try:
        view.snapshot.group(group)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    if rate is not None:
        _rate(findings, rate, f"srshell group set {group} --copy-rate 50M")
    if priority is not None and not 1 <= priority <= PRIORITY_MAX:
        facts = f"1 to {PRIORITY_MAX}; usual is {PRIORITY_DEFAULT}"
        mend = f"srshell group set {group} --copy-priority {PRIORITY_DEFAULT}"
        findings.refuse("SR0005", facts, mend, text=priority, noun="priority")
    if view.snapshot.partnership_of(group) is None:
        findings.refuse("SR5310", group=group, peer="PEER")
    return findings.verdict()


def _rate(findings: Findings, rate: int | str, mend: str) -> int | None:
    """The rate; None if it is none, which is noted."""
    try:
        return read_rate(rate)
    except SrError as error:
        error.mend = mend
        findings.take(error)
        return None
