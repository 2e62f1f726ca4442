"""Which values a shell shows in a way of their own, wherever they come from.

Always true: classes are known by their names here, so that loading imports none of them; a test
compares the names with the reports that there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from srshell_magics.settings import SRShell

#: Module to the classes in it that are shown; by name, so that loading imports none of them.
SHOWN: dict[str, tuple[str, ...]] = {
    "srshell.model.report.branches": (
        "BranchExport", "BranchReport", "BranchRow", "BranchesReport",
    ),
    "srshell.model.report.exports": ("NbdExport",),
    "srshell.model.report.explain": ("ErrorReport", "ExplainReport", "WhyReport"),
    "srshell.model.report.fabric": (
        "ArrayReport", "ArraysReport", "CandidatesReport", "InfoReport", "PairReport",
        "PairsReport", "PoolsReport", "ProvisionReport", "VolumesReport",
    ),
    "srshell.model.report.groups": (
        "CopiesReport", "EnableReport", "GroupReport", "GroupStatus", "GroupsReport",
        "RefreshReport", "StatusReport", "VmRow",
    ),
    "srshell.model.report.labs": (
        "LabCheckReport", "LabGradesReport", "LabNote", "LabReport", "LabsReport",
    ),
    "srshell.model.report.plots": ("DrillReport", "LagReport", "MapReport", "TraceReport"),
    "srshell.model.report.running": (
        "EventsReport", "JobReport", "JobsReport", "PlanReport", "PlanRunReport",
        "ResolveReport", "RoleChange", "TeardownReport", "Verification", "VmReport", "VmsReport",
    ),
    "srshell.fabric.reports": ("StoppedReport", "VmCheckReport"),
    "srshell.model.topology": ("TopologyReport",),
    "srshell.model.inventory": ("Candidate", "Event", "Job", "Pair", "Pool", "Volume"),
}  # fmt: skip


def register(shell: InteractiveShell, settings: SRShell) -> None:
    """Let a shell show reports, wherever they come from."""

    def show(report: object) -> dict[str, Any]:
        from srshell_magics.display import bundle

        return bundle(report, settings)

    formatter = _formatter(shell)
    for module, names in SHOWN.items():
        for name in names:
            formatter.for_type_by_name(module, name, show)


def unregister(shell: InteractiveShell) -> None:
    """Show reports as any other value again."""
    formatter = _formatter(shell)
    for module, names in SHOWN.items():
        for name in names:
            formatter.pop(f"{module}.{name}", None)


def _formatter(shell: InteractiveShell) -> Any:  # noqa: ANN401 - its methods have no types
    """What a shell asks for all forms of a value at once."""
    assert shell.display_formatter is not None
    return shell.display_formatter.mimebundle_formatter
