"""Reports as people read them: a headline, a table, what to do next.  Text only, no drawing.

Always true:

(1) A page is made from the JSON of a report, so client, notebook and log show the same words.
(2) Every report has a page; one without a page of its own shows its fields.
"""

from __future__ import annotations

import attrs

from srshell.fabric.pages.branches import BRANCH_PAGES
from srshell.fabric.pages.groups import GROUP_PAGES
from srshell.fabric.pages.labs import LAB_PAGES
from srshell.fabric.pages.plots import PLOT_PAGES
from srshell.fabric.pages.running import RUNNING_PAGES
from srshell.fabric.pages.storage import STORAGE_PAGES
from srshell.fabric.pages.topology import TOPOLOGY_PAGES
from srshell.fabric.pages.words import Page, Report, clean, progress_line
from srshell.model.printable import printable

__all__ = ["NOTHING", "PAGES", "Page", "Report", "page_of", "printable", "progress_line"]

#: Schema to the function that makes the page.
PAGES = {
    **STORAGE_PAGES,
    **GROUP_PAGES,
    **RUNNING_PAGES,
    **BRANCH_PAGES,
    **TOPOLOGY_PAGES,
    **LAB_PAGES,
    **PLOT_PAGES,
}


#: What a list without lines says: that there is nothing, and the command that would change it.
NOTHING = {
    "srshell.arrays/1": "no array: srshell discover PLACE --as NAME",
    "srshell.pools/1": "no pool: srshell discover PLACE --as NAME",
    "srshell.volumes/1": "no volume: srshell provision --help",
    "srshell.pairs/1": "no pair: srshell pair SOURCE DESTINATION",
    "srshell.status/1": "no group: srshell group create --help, or all of it at once: srshell demo",
    "srshell.groups/1": "no group: srshell group create --help, or all of it at once: srshell demo",
    "srshell.copies/1": "no protected group: srshell enable SOURCE DESTINATION",
    "srshell.vms/1": "no machine: srshell vm add --help",
    "srshell.jobs/1": "no job was started here",
    "srshell.events/1": "nothing happened",
}


def page_of(report: Report) -> Page:
    """The page for a report, given as `json.loads` reads it."""
    schema = str(report.get("schema", ""))
    page = clean(PAGES.get(schema, _fields)(report))
    if page.rows or schema not in NOTHING:
        return page
    return attrs.evolve(page, columns=(), lines=(*page.lines, NOTHING[schema]))


def _fields(report: Report) -> Page:
    rows = tuple((key, str(value)) for key, value in report.items() if key != "schema")
    return Page("", ("FIELD", "VALUE"), rows)
