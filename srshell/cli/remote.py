"""A command that the owner carries out: ask, show progress, print what came of it.

Always true:

(1) A change is a job; this process only looks at it.  Ctrl-C stops the looking.
(2) Nothing but the result is written to standard output.
"""

from __future__ import annotations

import json
import time
from typing import Any

from srshell.cli import show
from srshell.cli.surroundings import Exit, Surroundings, Unreachable
from srshell.fabric.calls import DEFAULT_TIMEOUT_SECONDS, Call
from srshell.fabric.control_http import ControlHttp, OwnerGone
from srshell.fabric.keeping import keep_report
from srshell.fabric.launch import connect, no_owner, try_connect
from srshell.fabric.progress import RateMeter
from srshell.model.errors import SrError

#: A command that takes longer than this says how far it is, in seconds.
_PATIENCE_SECONDS = 1.5
_LOOK_SECONDS = 0.25
_ENDED = frozenset({"done", "failed", "cancelled"})


def run(call: Call, around: Surroundings) -> int:
    """Carry out a command of the owner; returns what the process is to return.

    Raises:
        SrError: it was refused, or failed; Unreachable: no owner answers.
    """
    if call.method == "explain" and (found := _offline(call, around)):
        show.show_result(found, around)
        return Exit.OK
    http = reach(around)
    try:
        data = _perform(call, http, around)
    except OwnerGone as gone:
        facts = f"it ended while it was asked ({gone}); see `srshell jobs`"
        raise Unreachable(no_owner(around.place, facts)) from gone
    finally:
        http.close()
    show.show_result(data, around)
    if path := keep_report(call, data):
        print(f"written: {path}", file=around.err)
    return _exit_code(call, data)


def _offline(call: Call, around: Surroundings) -> bytes:
    """The answer to `explain` where no owner runs; none is started for it."""
    http = try_connect(around.place)
    if http is not None:
        http.close()
        return b""
    from srshell.fabric.explaining import explained
    from srshell.model.inventory import Profile
    from srshell.model.report import encode

    return encode(explained(str(call.arguments["code"]), Profile.NATIVE))


def reach(around: Surroundings) -> ControlHttp:
    """A connection to the owner of the fabric.

    Raises:
        Unreachable: there is none and none could be started.
    """
    try:
        return connect(around.place, start=around.start, options=around.options)
    except SrError as error:
        raise Unreachable(error) from error


def _perform(call: Call, http: ControlHttp, around: Surroundings) -> bytes | str:
    """Ask for the verb; wait for its job, if it has one."""
    arguments = dict(call.arguments)
    waits = call.spec.changes and not call.dry_run and arguments.get("wait", True)
    if not waits:
        return http.post(f"operations/{call.method}", arguments, None)
    arguments["wait"] = False
    answer = http.post(f"operations/{call.method}", arguments, None)
    report = json.loads(answer)
    if report.get("schema") != "srshell.job/1":
        return answer
    timeout = arguments.get("timeout")
    limit = float(timeout) if isinstance(timeout, int | float) else DEFAULT_TIMEOUT_SECONDS
    return _await_job(report["job"], http, limit, around)


def _await_job(
    job: dict[str, Any], http: ControlHttp, limit_seconds: float, around: Surroundings
) -> str:
    """Look at a job until it has ended; its result as JSON.

    Raises:
        SrError: what the job failed with; SR0106, it takes longer than the limit.
    """
    began = time.monotonic()
    line, meter = _ProgressLine(around), RateMeter()
    try:
        while job["state"] not in _ENDED:
            left = limit_seconds - (time.monotonic() - began)
            if left <= 0:
                raise _still_running(job, limit_seconds)
            if time.monotonic() - began > _PATIENCE_SECONDS:
                line.show(show.progress_text(job, meter))
            path = f"jobs/{job['id']}?wait={min(left, _LOOK_SECONDS):.3f}"
            job = json.loads(http.get(path))["job"]
    except KeyboardInterrupt:
        line.end()
        raise Detached(job) from None
    line.end()
    if job["error"]:
        raise SrError.from_json(json.loads(job["error"]))
    if job["state"] == "cancelled":
        raise SrError.make("SR0107", job=job["id"])
    return str(job["result"])


class Detached(KeyboardInterrupt):
    """The person stopped waiting; the job goes on."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(job["id"])
        self.job = job

    def lines(self) -> list[str]:
        """What to do now."""
        job = self.job
        return [
            f"detached from job {job['id']} ({job['command']} {job['object']}): it goes on",
            f"  wait   srshell job {job['id']} --wait",
            f"  stop   srshell job {job['id']} --cancel",
        ]


class _ProgressLine:
    """One line on the terminal that is written over and over; nothing in a pipe."""

    def __init__(self, around: Surroundings) -> None:
        self._stream = around.err
        self._on = around.err.isatty() and not around.json
        self._width = 0

    def show(self, text: str) -> None:
        """Write over what was shown before."""
        if self._on:
            text = text[:78]
            self._stream.write("\r" + text.ljust(self._width))
            self._stream.flush()
            self._width = len(text)

    def end(self) -> None:
        """Leave an empty line behind."""
        if self._on and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()


def _still_running(job: dict[str, Any], seconds: float) -> SrError:
    what = f"{job['command']} {job['object']}".strip()
    return SrError.make(
        "SR0106",
        facts=f"job {job['id']} goes on in the owner",
        mend=f"srshell job {job['id']} --wait",
        command=what,
        seconds=f"{seconds:g}",
    )


def _exit_code(call: Call, data: bytes | str) -> int:
    """0, but for `status`, whose code is the worst health, and for what was found wanting."""
    if call.method not in {"status", "verify", "check_vm", "job", "topology"}:
        return Exit.OK
    report = json.loads(data)
    if call.method == "topology":
        return {"ready": Exit.OK, "warned": Exit.FAILED}.get(report["verdict"], Exit.CRITICAL)
    if call.method == "status":
        healths = {row["replication_health"] for row in report["groups"]}
        if "Critical" in healths:
            return Exit.CRITICAL
        return Exit.FAILED if "Warning" in healths else Exit.OK
    if call.method == "job":
        # Who waits for a job goes on as if it was done; who cancels it has what was wanted.
        bad = {"failed"} if call.arguments.get("cancel") else {"failed", "cancelled"}
        return Exit.FAILED if report["job"]["state"] in bad else Exit.OK
    return Exit.OK if report.get("clean", True) and report["equal"] else Exit.FAILED
