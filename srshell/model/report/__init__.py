"""What commands return and what `--json` prints: the outside contract as frozen values.

Always true:

(1) Every object that stands alone carries ``schema``, "srshell.NAME/1"; rows inside it do not.
(2) Fields are added, never removed or renamed; readers ignore what they do not know.
(3) None means unknown or not applicable; zero means zero.
(4) `encode` gives the JSON with sorted keys, and `decode` reads it back into the same value.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

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
    NbdExport,
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

_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def _schema_of(report: type[Any]) -> str | None:
    """The schema that a class carries by default; None for a row."""
    field = attrs.fields_dict(report).get("schema")
    return None if field is None else str(field.default)


#: Schema to class, for those who read JSON back into values.
REPORTS: Final[dict[str, type[Any]]] = {
    schema: report
    for report in (
        ArrayReport,
        ArraysReport,
        BranchExport,
        BranchReport,
        BranchesReport,
        CandidatesReport,
        CheckRow,
        CopiesReport,
        CopyRow,
        EnableReport,
        ErrorReport,
        EventsReport,
        ExplainReport,
        GroupReport,
        GroupStatus,
        GroupVolume,
        GroupsReport,
        InfoReport,
        JobReport,
        JobsReport,
        LabCheckReport,
        LabGradesReport,
        LabNote,
        LabReport,
        LabsReport,
        LogSplit,
        NbdExport,
        Note,
        PairReport,
        PairsReport,
        PlanReport,
        PlanRunReport,
        PoolRow,
        PoolsReport,
        Progress,
        ProvisionReport,
        RefreshReport,
        ResolveReport,
        RoleChange,
        SiteRow,
        StatusReport,
        StepRow,
        TeardownReport,
        Verification,
        VmReport,
        VmRow,
        VmsReport,
        VolumesReport,
        WhyReport,
    )
    if (schema := _schema_of(report)) is not None
} | {"srshell.failback/1": RoleChange}


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
    if schema not in REPORTS:
        raise msgspec.ValidationError(f"no report with schema {schema!r}")
    return msgspec.json.decode(data, type=REPORTS[schema])
