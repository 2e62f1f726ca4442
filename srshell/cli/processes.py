"""Commands that are processes of their own: serve, stop, plan, demo, shell, dash, shot, and tools.

Always true: what a command needs is imported when it runs; nothing else pays for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from srshell.cli import remote, show
from srshell.cli.surroundings import Exit, Surroundings, UsageProblem
from srshell.fabric.calls import Call, parse_words
from srshell.fabric.command_spec import Kind
from srshell.fabric.commands import COMMANDS
from srshell.fabric.launch import (
    STOP_SECONDS,
    await_release,
    child_environment,
    try_connect,
)
from srshell.model.commits import Commits
from srshell.model.errors import SrError


def run(call: Call, around: Surroundings) -> int:
    """Run one of them; returns what the process is to return."""
    return _PROCESSES[call.spec.name](call.arguments, around)


def _serve(arguments: dict[str, Any], around: Surroundings) -> int:
    """Own the fabric until stopped."""
    from srshell.fabric.owner import OwnerSettings, serve

    settings = OwnerSettings(
        place=around.place,
        rebuild=bool(arguments.get("rebuild")),
        rebuild_pools=tuple(arguments.get("pools", ())),
        detached=bool(arguments.get("detached")),
        ready_fd=arguments.get("ready_fd"),
        sandbox=bool(arguments.get("sandbox")) or around.options.sandbox,
        profile=arguments.get("profile") or around.options.profile,
        commits=Commits(arguments.get("commit") or Commits.AUTO),
        viewer_groups=tuple(arguments.get("viewer_groups", ())),
        operator_groups=tuple(arguments.get("operator_groups", ())),
        token_file=arguments.get("token_file"),
        share=arguments.get("share"),
    )
    return serve(settings)


def _stop(arguments: dict[str, Any], around: Surroundings) -> int:
    """Tell the owner to end; none to tell is as good."""
    http = try_connect(around.place)
    if http is None:
        nothing = {
            "schema": "srshell.stopped/1",
            "fabric": str(around.place.directory),
            "owner_pid": 0,
            "sites_stopped": False,
        }
        show.show_result(json.dumps(nothing), around)
        return Exit.OK
    try:
        body = {"keep_sites": bool(arguments.get("keep_sites"))}
        answer = http.post("stop", body, STOP_SECONDS)
    finally:
        http.close()
    await_release(around.place)
    show.show_result(answer, around)
    return Exit.OK


def _plan(arguments: dict[str, Any], around: Surroundings) -> int:
    """Show what another command would do."""
    words = list(arguments["command"])
    if words[:1] in (["-f"], ["--file"]):
        return remote.run(_plan_of_file(words[1:]), around)
    try:
        inner = parse_words(words)
    except SrError as error:
        raise UsageProblem(error) from error
    if not inner.spec.changes:
        raise SrError.make(
            "SR0108", facts=f"{inner.spec.name} changes nothing", mend=f"srshell {' '.join(words)}",
            option="plan",
        )  # fmt: skip
    inner.arguments["dry_run"] = True
    return remote.run(inner, attrs.evolve(around, json=around.json or inner.json))


def _plan_of_file(words: list[str]) -> Call:
    """The call that plans the commands of a file as one; ``-`` is standard input."""
    from srshell.fabric.applying import plan_of_lines
    from srshell.fabric.calls import unreadable

    if len(words) != 1:
        raise UsageProblem(unreadable("plan", "-f takes one file, or - for standard input"))
    try:
        text = sys.stdin.read() if words[0] == "-" else Path(words[0]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        facts = getattr(error, "strerror", None) or str(error)
        raise SrError.make("SR0105", facts, "srshell plan --help", noun="file",
                           name=words[0]) from error  # fmt: skip
    return plan_of_lines(text.splitlines())


def _apply(arguments: dict[str, Any], around: Surroundings) -> int:
    """Carry out a plan that was kept."""
    from srshell.fabric.applying import call_of, read_plan

    return remote.run(call_of(read_plan(arguments["plan"]), arguments.get("confirm")), around)


def _demo(arguments: dict[str, Any], _around: Surroundings) -> int:
    """The whole way once."""
    from srshell.cli.demo import run_demo

    return run_demo(image=arguments.get("image"), keep=bool(arguments.get("keep")))


def _shell(_arguments: dict[str, Any], around: Surroundings) -> int:
    """IPython with the commands loaded; it takes this process over."""
    environment = {**child_environment(), "SRSHELL_FABRIC": str(around.place.directory)}
    command = [sys.executable, "-m", "IPython", "--ext=srshell"]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter


def _screen(name: str) -> Callable[[dict[str, Any], Surroundings], int]:
    """A command of the dashboard, which takes this process over and is never imported here."""

    def run_it(arguments: dict[str, Any], around: Surroundings) -> int:
        command = [sys.executable, "-m", "srshell_tui", "--fabric", str(around.place.directory)]
        command += [] if around.start else ["--no-start"]
        command += ["--sandbox"] if around.options.sandbox else []
        command += ["--profile", around.options.profile] if around.options.profile else []
        sys.stdout.flush()
        environment = child_environment()
        os.execve(sys.executable, [*command, name, *_typed(name, arguments)], environment)  # noqa: S606

    return run_it


def _typed(name: str, arguments: dict[str, Any]) -> list[str]:
    """The words that arguments were read from."""
    words: list[str] = []
    for argument in COMMANDS[name].arguments:
        value = arguments.get(argument.keyword)
        if argument.kind is Kind.FLAG:
            words += [argument.flags[0]] if value else []
        elif value is not None:
            words += [*argument.flags[:1], str(value)]
    return words


def _bench(_arguments: dict[str, Any], _around: Surroundings) -> int:
    """The measurements, where the source tree is at hand."""
    if importlib.util.find_spec("benchmarks") is None:
        facts = "the benchmarks are part of the source tree, not of the package"
        raise SrError.make("SR0108", facts=facts, mend="srshell demo", option="bench")
    command = [sys.executable, "-m", "benchmarks"]
    return subprocess.run(command, check=False, env=child_environment()).returncode


def _manual(arguments: dict[str, Any], around: Surroundings) -> int:
    """Write the manual pages, or print the first one."""
    from srshell.cli.manual import overview_page, write_pages

    folder = arguments.get("to")
    print(overview_page() if folder is None else write_pages(str(folder)), file=around.out)
    return Exit.OK


def _prefixes(arguments: dict[str, Any], around: Surroundings) -> int:
    """Rebuild and check the prefixes of a log."""
    from srshell.cli.prefixes import run as run_prefixes

    return run_prefixes(arguments, around)


def _gateway(arguments: dict[str, Any], around: Surroundings) -> int:
    """Pass NBD clients on."""
    from srshell.cli.gateway import run as run_gateway

    return run_gateway(arguments, around)


def _site(arguments: dict[str, Any], _around: Surroundings) -> int:
    """Serve one array."""
    from srshell.site.process import main

    return main(list(arguments["rest"]))


def _writer(arguments: dict[str, Any], _around: Surroundings) -> int:
    """Be a machine that writes."""
    from srshell.fabric.writer import main

    return main(str(arguments["rest"][0]))


def _lab(name: str) -> Callable[[dict[str, Any], Surroundings], int]:
    """A lab command; `lab check` says by its exit code what it saw, as a script wants it."""

    def run_it(arguments: dict[str, Any], around: Surroundings) -> int:
        from srshell.labs.student import Student
        from srshell.labs.verbs import perform
        from srshell.model.report import LabCheckReport, LabGradesReport, encode

        student = Student()
        try:
            report = perform(student, name, arguments)
        finally:
            student.close()
        if arguments.get("points"):
            print(f"{float(report):g}", file=around.out)
        else:
            show.show_result(encode(report), around)
        if isinstance(report, LabCheckReport) and not report.passed:
            undecided = all(row.verdict != "failed" for row in report)
            return Exit.CRITICAL if undecided else Exit.FAILED
        if isinstance(report, LabGradesReport):
            return Exit.FAILED if any(row.problem for row in report) else Exit.OK
        return Exit.OK

    return run_it


def _guest(arguments: dict[str, Any], _around: Surroundings) -> int:
    """Be a machine that runs a guest."""
    from srshell.fabric.guests.process import main

    return main(str(arguments["rest"][0]))


_PROCESSES: dict[str, Callable[[dict[str, Any], Surroundings], int]] = {
    "serve": _serve,
    "stop": _stop,
    "plan": _plan,
    "apply": _apply,
    "demo": _demo,
    "shell": _shell,
    "dash": _screen("dash"),
    "shot": _screen("shot"),
    "bench": _bench,
    "manual": _manual,
    "prefixes": _prefixes,
    "gateway": _gateway,
    "site": _site,
    "writer": _writer,
    "guest": _guest,
    **{name: _lab(name) for name in COMMANDS if name.startswith("lab ")},
}
