"""Pages of role changes, machines, events, jobs and the fabric itself.

Always true: a page is made from the JSON of its report alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srshell.fabric.pages.plans import plan_page, run_page
from srshell.fabric.pages.words import UNKNOWN, Page, Report, clock, duration, size, warnings


def _nbd(report: Report) -> Page:
    twin = report.get("primary_volume")
    there = (f"the side that leads: srshell nbd {twin}",) if twin else ()
    if not report.get("serving", True):
        if twin:
            return Page(f"{report['volume']} is secondary and serves nobody now", lines=there)
        if report["uri"]:
            why = f"what keeps it from serving: srshell why {report['volume']}"
            return Page(f"{report['volume']} is exported and serves nobody now", lines=(why,))
        return Page(f"{report['volume']} is served no longer")
    kind = " (read-only)" if report["read_only"] else ""
    return Page(f"{report['uri']}{kind}", lines=there)


def _role_change(report: Report) -> Page:
    lost, writes = report["lost_bytes"], report["lost_writes"]
    loss = "loss unknown" if lost is None else f"{size(lost)} lost"
    if writes:
        loss += f" in {writes} writes"
    outage = report.get("write_outage_seconds")
    without = f", {duration(outage)} without writes" if outage is not None else ""
    headline = (
        f"{report['new_primary']} is primary (epoch {report['epoch']}) after "
        f"{duration(report['seconds'])}: {loss}{without}"
    )
    return Page(headline, *_steps(report["steps"]))


def _steps(rows: Sequence[Report]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Steps as columns and rows of a table."""
    table = tuple(
        (str(number), row["name"], row["state"], duration(row.get("seconds")), row["text"])
        for number, row in enumerate(rows, 1)
    )
    return ("", "STEP", "STATE", "TIME", "WHAT"), table


def _teardown(report: Report) -> Page:
    at = f" at LSN {report['lsn']}" if report["lsn"] is not None else ""
    headline = f"torn down: {', '.join(report['groups'])}{at}; the data stays"
    waiting = report.get("waiting_for") or ()
    lines = (f"still to be torn down: {', '.join(waiting)}",) if waiting else ()
    return Page(headline, lines=lines + warnings(report))


def _resolve(report: Report) -> Page:
    headline = f"{report['kept']} is kept; {report['lost']} gives its own writes up"
    until = f", kept until {clock(report['expires_unix'])}" if report.get("expires_unix") else ""
    saved = f"saved: {size(report['branch_bytes'])} as branch {report['branch']}{until}"
    return Page(headline, lines=(saved, f"to read it: srshell branch export {report['branch']}"))


def _vm(report: Report) -> Page:
    headline = f"machine {report['name']} on {report['volume']} at {report['array']}: "
    console = report.get("console")
    lines = (f"its console: {console}",) if console else ()
    return Page(headline + report["state"], lines=lines + warnings(report))


def _vms(report: Report) -> Page:
    rows = tuple(
        (
            row["name"],
            row["volume"],
            row["array"],
            row["group"] or UNKNOWN,
            row["kind"],
            row["state"],
            str(row["written_records"]) if row["kind"] == "writer" else UNKNOWN,
        )
        for row in report["vms"]
    )
    return Page("", ("VM", "VOLUME", "ARRAY", "GROUP", "KIND", "STATE", "WRITTEN"), rows)


def _vm_check(report: Report) -> Page:
    verdict = "nothing is missing" if report["equal"] else f"{report['records_missing']} missing"
    headline = (
        f"{report['records_found']} of {report['records_acknowledged']} acknowledged records of "
        f"{report['name']} are on {report['volume']}: {verdict}"
    )
    first = report["first_missing"]
    return Page(headline, lines=() if first is None else (f"first missing: record {first}",))


def _events(report: Report) -> Page:
    rows = tuple(
        (clock(row["unix"]), row["level"], row["object"], row["code"], row["text"])
        for row in report["events"]
    )
    return Page("", ("TIME", "LEVEL", "OBJECT", "CODE", "WHAT"), rows)


def _job_row(job: Report) -> tuple[str, ...]:
    total = job.get("total_bytes")
    done = f"{100 * (job.get('done_bytes') or 0) // total} %" if total else UNKNOWN
    if job["state"] == "done":
        done = "100 %"
    return (str(job["id"]), job["command"], job["object"], job["state"], done,
            clock(job["began_unix"]))  # fmt: skip


def _jobs(report: Report) -> Page:
    columns = ("JOB", "COMMAND", "OBJECT", "STATE", "DONE", "BEGAN")
    return Page("", columns, tuple(_job_row(job) for job in report["jobs"]))


def _job(report: Report) -> Page:
    job = report["job"]
    headline = f"job {job['id']} ({job['command']} {job['object']}): {job['state']}"
    rows = tuple((step["name"], step["state"], step["text"]) for step in job["steps"])
    return Page(headline, ("STEP", "STATE", "WHAT") if rows else (), rows)


def _info(report: Report) -> Page:
    rows = tuple(
        (
            row["array"],
            row.get("site") or UNKNOWN,
            row["state"],
            str(row["pid"] or UNKNOWN),
            row.get("peer") or UNKNOWN,
            ", ".join(pool["name"] for pool in row["pools"]) or UNKNOWN,
        )
        for row in report["sites"]
    )
    headline = f"fabric {report['fabric']} (owner {report['owner_pid']}"
    headline += ", sandbox)" if report.get("sandbox") else ")"
    if report.get("role", "admin") != "admin":
        headline += f", you are {report['role']}"
    columns = ("ARRAY", "SITE", "STATE", "PID", "PEER", "POOLS")
    return Page(headline, columns if rows else (), rows, tuple(report.get("access", ())))


def _why(report: Report) -> Page:
    lines = tuple(f"{'  ' * depth}{text}" for depth, text in enumerate(report["chain"]))
    mend = (f"mend   {report['mend']}",) if report.get("mend") else ()
    return Page(report["object"], lines=lines + mend)


def _explain(report: Report) -> Page:
    rule = f" (R{report['article_rule']})" if report.get("article_rule") else ""
    lines = [f"rule   {report['rule']}{rule}", report["explanation"]]
    if report.get("mend"):
        lines.append(f"mend   {report['mend']}")
    return Page(f"{report['code']} {report['message']}", lines=tuple(lines))


def _stopped(report: Report) -> Page:
    if not report["owner_pid"]:
        return Page(f"no owner serves {report['fabric']}")
    sites = "its sites too" if report["sites_stopped"] else "its sites go on"
    return Page(f"owner {report['owner_pid']} of {report['fabric']} stopped, {sites}")


RUNNING_PAGES: dict[str, Callable[[Report], Page]] = {
    "srshell.nbd/1": _nbd,
    "srshell.failover/1": _role_change,
    "srshell.failback/1": _role_change,
    "srshell.plan/1": plan_page,
    "srshell.plan-run/1": run_page,
    "srshell.teardown/1": _teardown,
    "srshell.resolve/1": _resolve,
    "srshell.vm/1": _vm,
    "srshell.vms/1": _vms,
    "srshell.vm-check/1": _vm_check,
    "srshell.events/1": _events,
    "srshell.jobs/1": _jobs,
    "srshell.job/1": _job,
    "srshell.info/1": _info,
    "srshell.why/1": _why,
    "srshell.explain/1": _explain,
    "srshell.stopped/1": _stopped,
}
