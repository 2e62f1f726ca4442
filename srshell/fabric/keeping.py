"""Write a result where a person wants it: the page with charts that ``--report`` asks for.

Always true: this process writes with the rights of who typed the command, never the owner.
"""

from __future__ import annotations

import json
from pathlib import Path

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
    # Only who wants the page pays for it.
    from srshell.fabric.pages.topology_html import html_page

    path = Path(call.report)
    try:
        path.write_text(html_page(json.loads(data)), encoding="utf-8")
    except OSError as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR0005", facts=facts, text=str(path), noun="file") from error
    return str(path)
