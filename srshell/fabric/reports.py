"""Reports that only the fabric makes, and the reading of every report by its schema.

Always true: what `decode` reads is what `srshell.model.report.encode` wrote.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from srshell.model import report as model_report
from srshell.model.report.plots import DrillReport, LagReport, MapReport, TraceReport
from srshell.model.topology import TopologyReport


@attrs.frozen
class VmCheckReport:
    """Whether every record that a machine had acknowledged can be read back."""

    name: str
    volume: str
    records_acknowledged: int
    records_found: int  # acknowledged ones that are there, whole
    records_missing: int
    first_missing: int | None  # sequence number
    records_beyond: int  # written but not acknowledged, and there all the same
    equal: bool  # nothing acknowledged is missing
    schema: str = "srshell.vm-check/1"


@attrs.frozen
class StoppedReport:
    """An owner that was told to end."""

    fabric: str
    owner_pid: int
    sites_stopped: bool
    schema: str = "srshell.stopped/1"


#: Reports that only the fabric makes.
OWN: Final[dict[str, type[Any]]] = {
    "srshell.vm-check/1": VmCheckReport,
    "srshell.stopped/1": StoppedReport,
    "srshell.topology/1": TopologyReport,
    "srshell.lag/1": LagReport,
    "srshell.trace/1": TraceReport,
    "srshell.map/1": MapReport,
    "srshell.drill/1": DrillReport,
}


class _Header(msgspec.Struct):
    """The one field that every report has."""

    schema: str = ""


def decode(data: bytes | str) -> Any:  # noqa: ANN401 - the schema in the data says which class
    """Read a report back by its schema.

    Raises:
        msgspec.ValidationError: the data has no schema that is known here, or does not fit it.
    """
    schema = msgspec.json.decode(data, type=_Header).schema
    if schema in OWN:
        return msgspec.json.decode(data, type=OWN[schema])
    return model_report.decode(data)
