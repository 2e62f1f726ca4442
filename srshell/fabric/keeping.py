"""Write a result where a person wants it: the page with charts that ``--report`` asks for.

Always true: this process writes with the rights of who typed the command, never the owner.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from srshell.fabric.calls import Call
from srshell.model.errors import SrError


def keep_report(call: Call, data: bytes | str) -> str:
    """Write the page that a call asks for; returns where, or nothing when it asks for none.

    Args:
        call: what was asked.
        data: the result, as JSON.

    Raises:
        SrError: SR0005, the file cannot be written.
    """
    if not call.report:
        return ""
    path = Path(call.report)
    try:
        path.write_text(_page(json.loads(data), path), encoding="utf-8")
    except OSError as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR0005", facts=facts, text=str(path), noun="file") from error
    return str(path)


def _page(report: dict[str, Any], path: Path) -> str:
    """The text of the file; Markdown where its name ends so and the report has such a form."""
    # Only who wants the page pays for it.
    if report["schema"] == "srshell.topology/1":
        from srshell.fabric.pages.topology_html import html_page

        return html_page(report)
    from srshell.fabric.pages import page_of, plots_svg

    if path.suffix == ".md" and report["schema"] == "srshell.drill/1":
        return plots_svg.markdown(report)
    if path.suffix == ".svg" and (drawing := plots_svg.svg_of(report)):
        return drawing
    return plots_svg.html_page(report, page_of(report))
