"""What was reached, as tables for other programs.

Always true: the figures are those of `srshell lab list`.
"""

from __future__ import annotations

import csv
import io
import json

import attrs

from srshell.model.report import LabsReport

_COLUMNS = ("name", "number", "title", "state", "points", "points_of")


def table(report: LabsReport, form: str) -> str:
    """All labs as ``json`` or ``csv``."""
    rows = [{key: attrs.asdict(row)[key] for key in _COLUMNS} for row in report]
    if form == "json":
        return json.dumps(rows, indent=1)
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")
