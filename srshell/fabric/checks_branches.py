"""Rules of branches: they are removed by name, and kept for a number of days.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from srshell.fabric.findings import Findings, Verdict
from srshell.fabric.snapshot import View
from srshell.model.branch import KEEP_DAYS_MAX


def check_keep_days(view: View, keep_days: int) -> Verdict:
    """Whether a branch may be kept for that many days."""
    findings = Findings(view)
    if not 1 <= keep_days <= KEEP_DAYS_MAX:
        facts = f"at least 1 day, at most {KEEP_DAYS_MAX}"
        findings.refuse("SR0005", facts, text=keep_days, noun="number of days")
    return findings.verdict()


def check_remove_branch(view: View, name: str, confirm: str | None, *, ask: bool) -> Verdict:
    """Whether a branch may be removed: who asks has typed its name twice."""
    findings = Findings(view)
    if ask:
        effect = f"what only the losing side had written is lost for good with {name}"
        findings.confirm(f"branch rm {name}", effect, name, confirm)
    return findings.verdict()
