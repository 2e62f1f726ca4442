"""What commands return and what `--json` prints: the outside contract as frozen values.

Always true:

(1) Every object that stands alone carries ``schema``, "srshell.NAME/1"; rows inside it do not.
(2) Fields are added, never removed or renamed; readers ignore what they do not know.
(3) None means unknown or not applicable; zero means zero.
(4) `encode` gives the JSON with sorted keys, and `decode` reads it back into the same value.
(5) A class is loaded when it is used first: a process needs few of them, and starts sooner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from srshell.model.report.base import (
        Named,
        Note,
        Rows,
    )
    from srshell.model.report.branches import (
        BranchesReport,
        BranchExport,
        BranchReport,
        BranchRow,
        BranchVolume,
    )
    from srshell.model.report.explain import (
        ErrorReport,
        ExplainReport,
        WhyReport,
    )
    from srshell.model.report.exports import (
        NbdExport,
    )
    from srshell.model.report.fabric import (
        ArrayReport,
        ArraysReport,
        CandidatesReport,
        InfoReport,
        LogSplit,
        PairReport,
        PairsReport,
        PoolRow,
        PoolsReport,
        ProvisionReport,
        SiteRow,
        VolumesReport,
    )
    from srshell.model.report.groups import (
        CopiesReport,
        CopyRow,
        EnableReport,
        GroupReport,
        GroupsReport,
        GroupStatus,
        GroupVolume,
        Progress,
        RefreshReport,
        SplitSide,
        StatusReport,
        VerificationStatus,
        VmRow,
    )
    from srshell.model.report.labs import (
        LabCheckReport,
        LabCheckRow,
        LabGradeRow,
        LabGradesReport,
        LabNote,
        LabReport,
        LabRow,
        LabsReport,
        LabTaskRow,
    )
    from srshell.model.report.running import (
        CheckRow,
        EventsReport,
        JobReport,
        JobsReport,
        PlanReport,
        PlanRunReport,
        ResolveReport,
        RoleChange,
        StepRow,
        TeardownReport,
        Verification,
        VmReport,
        VmsReport,
    )

    #: Schema to class, for those who read JSON back into values.
    REPORTS: dict[str, type[Any]]

__all__ = [
    "REPORTS",
    "ArrayReport",
    "ArraysReport",
    "BranchExport",
    "BranchReport",
    "BranchRow",
    "BranchVolume",
    "BranchesReport",
    "CandidatesReport",
    "CheckRow",
    "CopiesReport",
    "CopyRow",
    "EnableReport",
    "ErrorReport",
    "EventsReport",
    "ExplainReport",
    "GroupReport",
    "GroupStatus",
    "GroupVolume",
    "GroupsReport",
    "InfoReport",
    "JobReport",
    "JobsReport",
    "LabCheckReport",
    "LabCheckRow",
    "LabGradeRow",
    "LabGradesReport",
    "LabNote",
    "LabReport",
    "LabRow",
    "LabTaskRow",
    "LabsReport",
    "LogSplit",
    "Named",
    "NbdExport",
    "Note",
    "PairReport",
    "PairsReport",
    "PlanReport",
    "PlanRunReport",
    "PoolRow",
    "PoolsReport",
    "Progress",
    "ProvisionReport",
    "RefreshReport",
    "ResolveReport",
    "RoleChange",
    "Rows",
    "SiteRow",
    "SplitSide",
    "StatusReport",
    "StepRow",
    "TeardownReport",
    "Verification",
    "VerificationStatus",
    "VmReport",
    "VmRow",
    "VmsReport",
    "VolumesReport",
    "WhyReport",
    "decode",
    "encode",
]

#: The modules of this folder, and what is in them.
_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "base": (
        "Named",
        "Note",
        "Rows",
    ),
    "branches": (
        "BranchesReport",
        "BranchExport",
        "BranchReport",
        "BranchRow",
        "BranchVolume",
    ),
    "explain": (
        "ErrorReport",
        "ExplainReport",
        "WhyReport",
    ),
    "exports": ("NbdExport",),
    "fabric": (
        "ArrayReport",
        "ArraysReport",
        "CandidatesReport",
        "InfoReport",
        "LogSplit",
        "PairReport",
        "PairsReport",
        "PoolRow",
        "PoolsReport",
        "ProvisionReport",
        "SiteRow",
        "VolumesReport",
    ),
    "groups": (
        "CopiesReport",
        "CopyRow",
        "EnableReport",
        "GroupReport",
        "GroupsReport",
        "GroupStatus",
        "GroupVolume",
        "Progress",
        "RefreshReport",
        "SplitSide",
        "StatusReport",
        "VerificationStatus",
        "VmRow",
    ),
    "labs": (
        "LabCheckReport",
        "LabCheckRow",
        "LabGradeRow",
        "LabGradesReport",
        "LabNote",
        "LabReport",
        "LabRow",
        "LabsReport",
        "LabTaskRow",
    ),
    "running": (
        "CheckRow",
        "EventsReport",
        "JobReport",
        "JobsReport",
        "PlanReport",
        "PlanRunReport",
        "ResolveReport",
        "RoleChange",
        "StepRow",
        "TeardownReport",
        "Verification",
        "VmReport",
        "VmsReport",
    ),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}
#: The class that carries a schema.
_SCHEMAS: Final[dict[str, str]] = {
    "srshell.array/1": "ArrayReport",
    "srshell.arrays/1": "ArraysReport",
    "srshell.branch-export/1": "BranchExport",
    "srshell.branch/1": "BranchReport",
    "srshell.branches/1": "BranchesReport",
    "srshell.candidates/1": "CandidatesReport",
    "srshell.copies/1": "CopiesReport",
    "srshell.enable/1": "EnableReport",
    "srshell.error/1": "ErrorReport",
    "srshell.events/1": "EventsReport",
    "srshell.explain/1": "ExplainReport",
    "srshell.failback/1": "RoleChange",
    "srshell.failover/1": "RoleChange",
    "srshell.group/1": "GroupReport",
    "srshell.groups/1": "GroupsReport",
    "srshell.info/1": "InfoReport",
    "srshell.job/1": "JobReport",
    "srshell.jobs/1": "JobsReport",
    "srshell.lab-check/1": "LabCheckReport",
    "srshell.lab-grades/1": "LabGradesReport",
    "srshell.lab-note/1": "LabNote",
    "srshell.lab/1": "LabReport",
    "srshell.labs/1": "LabsReport",
    "srshell.nbd/1": "NbdExport",
    "srshell.pair/1": "PairReport",
    "srshell.pairs/1": "PairsReport",
    "srshell.plan-run/1": "PlanRunReport",
    "srshell.plan/1": "PlanReport",
    "srshell.pools/1": "PoolsReport",
    "srshell.provision/1": "ProvisionReport",
    "srshell.refresh/1": "RefreshReport",
    "srshell.resolve/1": "ResolveReport",
    "srshell.status/1": "StatusReport",
    "srshell.teardown/1": "TeardownReport",
    "srshell.verify/1": "Verification",
    "srshell.vm/1": "VmReport",
    "srshell.vms/1": "VmsReport",
    "srshell.volumes/1": "VolumesReport",
    "srshell.why/1": "WhyReport",
}
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever lives there
    """Load a class, or all that have a schema."""
    if name == "REPORTS":
        value: Any = {schema: _load(report) for schema, report in _SCHEMAS.items()}
    elif name in _HOMES:
        value = _load(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _load(name: str) -> type[Any]:
    """A class, from where it lives."""
    found: type[Any] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found


class _Header(msgspec.Struct):
    """The one field that every report has."""

    schema: str = ""


def encode(report: object) -> bytes:
    """The JSON of a report, as every surface prints it."""
    return _ENCODER.encode(report)


def decode(data: bytes | str) -> Any:  # noqa: ANN401 - the schema in the data says which class
    """Read a report back by its schema.

    Raises:
        msgspec.ValidationError: the data has no schema that is known here, or does not fit it.
    """
    schema = msgspec.json.decode(data, type=_Header).schema
    if schema not in _SCHEMAS:
        raise msgspec.ValidationError(f"no report with schema {schema!r}")
    return msgspec.json.decode(data, type=_load(_SCHEMAS[schema]))
