"""One shell's commands: a typed line becomes a call, the call a result, the result an object.

Always true:

(1) A magic returns the object that the Python interface returns; a success prints one line.
(2) Nothing is written to standard error.
(3) Whatever goes wrong shows as an error with a code, never as a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from srshell_magics.connection import Connection
from srshell_magics.names import HERE, Magic, as_magic
from srshell_magics.settings import SRShell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from srshell.fabric.calls import Call
    from srshell.fabric.command_spec import CommandSpec
    from srshell.model.errors import SrError
    from srshell_magics.bridge import Bridge
    from srshell_magics.lab_magic import LabMagic

_HELP = frozenset({"-h", "--help"})
T = TypeVar("T")


@attrs.define
class Own:
    """Options that a magic has beyond those of its command."""

    quiet: bool = False  # -q: no line on success
    name: str = ""  # -o NAME: also store the result there

    def take(self, words: Sequence[str], others: Container[str] = ()) -> list[str]:
        """Take these options out of the words; those of the command itself are left to it."""
        from srshell.fabric.calls import unreadable

        rest, waiting = [], False
        for word in words:
            if waiting:
                self.name, waiting = word, False
            elif word in others:
                rest.append(word)
            elif word == "-q":
                self.quiet = True
            elif word == "-o":
                waiting = True
            else:
                rest.append(word)
        if waiting or (self.name and not self.name.isidentifier()):
            raise unreadable("", "-o needs the name of a variable")
        return rest


@attrs.define(eq=False)
class Console:
    """The commands of one shell."""

    shell: InteractiveShell
    settings: SRShell
    connection: Connection = attrs.Factory(Connection)
    _lab_magic: LabMagic | None = attrs.field(default=None, init=False)

    def run(self, magic: Magic, line: str, names: Mapping[str, object]) -> object:
        """Carry out what was typed after a magic.

        Args:
            magic: the magic.
            line: what follows it.
            names: the variables that the line may use.

        Raises:
            SrError: it was refused or failed.
            KeyboardInterrupt: it was interrupted; `JobDetached` when a job goes on.
        """
        return self.guard(lambda: self._run(magic, line, names))

    def perform(self, words: Sequence[str], *, quiet: bool = False) -> Any:  # noqa: ANN401
        """Carry out a command of the registry as its magic does; `guard` dresses what it raises."""
        return self._carry_out(self._read(words), Own(quiet=quiet))

    def guard(self, work: Callable[[], T]) -> T:
        """Do something; whatever goes wrong is dressed for people.

        Raises:
            SrError: it was refused or failed.
            KeyboardInterrupt: it was interrupted; `JobDetached` when a job goes on.
        """
        from srshell.model.errors import SrError
        from srshell_magics.errors import dress, error_lines, unforeseen

        failure: SrError | KeyboardInterrupt
        try:
            return work()
        except SrError as error:
            failure = error
        except KeyboardInterrupt as interrupt:
            failure = interrupt
        except Exception as error:  # noqa: BLE001 - the last line of defence
            failure = unforeseen(error)
        if "_render_traceback_" not in vars(failure):
            lines = ["interrupted"]
            if isinstance(failure, SrError):
                lines = error_lines(failure, short_names=self.settings.short_names)
            failure = dress(failure, lines)
        raise failure

    def plan_cell(self, line: str, cell: str, names: Mapping[str, object]) -> object:
        """Plan the commands of a cell as one; as `run`, it raises what is dressed for people."""
        from srshell_magics.plan_magic import PlanCell, read_cell

        def work() -> object:
            wanted = PlanCell.read(line)
            report = self._carry_out(read_cell(cell, names), Own())
            return wanted.keep(report, self.shell.user_ns)

        return self.guard(work)

    def _run(self, magic: Magic, line: str, names: Mapping[str, object]) -> object:
        """Read the line and do what it says."""
        from srshell.fabric.commands import find_command
        from srshell_magics import help_text
        from srshell_magics.words import read_words

        own = Own()
        read = read_words(line, names)
        found = find_command(magic.to_words(read)) if read else None
        typed = own.take(read, _flags(found[0]) if found else ())
        if _HELP & set(typed) or (magic.name == "sr" and not typed):
            print(help_text.of_words(magic, [word for word in typed if word not in _HELP]))
            return None
        words = magic.to_words(typed)
        if words[:1] == ["fabric"]:
            result: object = self._fabric(words[1:])
        elif words[:1] == ["apply"]:
            result = self._carry_out(self._planned(words, names), own)
        else:
            call = self._read(words)
            result = self._here(call) if call.method == "" else self._carry_out(call, own)
        if own.name:
            self.shell.user_ns[own.name] = result
        return result

    def _planned(self, words: Sequence[str], names: Mapping[str, object]) -> Call:
        """The call of a plan: one that a variable holds, or that was kept in a file."""
        from srshell.fabric.applying import call_of, read_plan
        from srshell.fabric.calls import parse_words
        from srshell.model.report import PlanReport

        arguments = parse_words(words).arguments
        confirm = arguments.get("confirm")
        # What was read is a path; a variable is meant by the word as it was typed.
        values = [names.get(word) for word in words[1:]]
        plans = [value for value in values if isinstance(value, PlanReport)]
        found = plans[0] if plans else read_plan(str(arguments["plan"]))
        return call_of(found, None if confirm is None else str(confirm))

    def _read(self, words: Sequence[str]) -> Call:
        """The call that words stand for; ``plan COMMAND`` is that command as a dry run."""
        from srshell.fabric.calls import parse_words, unreadable
        from srshell.model.errors import SrError

        if words[:1] != ["plan"]:
            return parse_words(words)
        if not words[1:]:
            raise unreadable("plan", "the command to be planned is missing")
        call = parse_words(words[1:])
        if not call.spec.changes:
            line = f"srshell {' '.join(words[1:])}"
            facts = f"{call.spec.name} changes nothing"
            raise SrError.make("SR0108", facts=facts, mend=line, option="plan")
        return attrs.evolve(call, arguments={**call.arguments, "dry_run": True})

    def _carry_out(self, call: Call, own: Own) -> object:
        """A verb of the session."""
        from srshell_magics import display
        from srshell_magics.bridge import Bridge
        from srshell_magics.front import Front
        from srshell_magics.progress import ProgressLine

        if call.method == "explain" and self.connection.connected is None:
            from srshell.fabric.explaining import explained
            from srshell.model.inventory import Profile

            return explained(str(call.arguments["code"]), Profile.NATIVE)
        front = Front.of(self.shell)
        bridge = Bridge(
            self.connection.fabric(),
            front,
            ProgressLine(front, self.settings.progress),
            self.settings.wait_seconds(),
            read_only=self.settings.read_only,
            short_names=self.settings.short_names,
        )
        line = ""
        try:
            report = self._confirmed(call, bridge)
            if call.report:
                line = _kept(call, report)
            if call.spec.changes and not (own.quiet or call.dry_run or call.json):
                line = self._success(call, report)
        finally:
            bridge.progress.end(line)
        if call.json:
            from srshell.model.report import encode

            return display.JsonText(encode(report).decode())
        return report

    def _confirmed(self, call: Call, bridge: Bridge) -> Any:  # noqa: ANN401
        """Carry out a call; if its confirmation lacks, show the plan, or ask for the name."""
        from srshell.model.errors import SrError
        from srshell_magics.errors import dress
        from srshell_magics.progress import ProgressLine

        try:
            return bridge.carry_out(call)
        except SrError as error:
            if error.code != "SR0101":
                raise
            refused = error
        plan = self._plan(call, bridge)
        if self.settings.confirm == "ask" and bridge.front.can_ask and plan is not None:
            bridge.progress.end()
            print("\n".join(self._refusal(refused, plan)))
            if plan.confirm and input(f"type {plan.confirm} to go on: ").strip() == plan.confirm:
                bridge.progress = ProgressLine(bridge.front, self.settings.progress)
                confirmed = {**call.arguments, "confirm": plan.confirm}
                return bridge.carry_out(attrs.evolve(call, arguments=confirmed))
        raise dress(refused, self._refusal(refused, plan))

    def _plan(self, call: Call, bridge: Bridge) -> Any:  # noqa: ANN401
        """What the call would do; None where that cannot be said."""
        from srshell.model.errors import SrError

        arguments = {**call.arguments, "dry_run": True}
        arguments.pop("wait", None)
        try:
            return bridge.fabric.perform(call.method, arguments)
        except SrError:
            return None

    def _refusal(self, error: SrError, plan: Any) -> list[str]:  # noqa: ANN401
        from srshell_magics.errors import error_lines

        return error_lines(error, plan, short_names=self.settings.short_names)

    def _success(self, call: Call, report: Any) -> str:  # noqa: ANN401
        """The one line that a change prints."""
        from srshell.model.report import JobReport, StatusReport
        from srshell_magics.display import make_page, to_json
        from srshell_magics.errors import job_name

        if isinstance(report, JobReport):
            line = as_magic(
                f"srshell job {report.job.id} --wait", short_names=self.settings.short_names
            )
            return f"↳ {job_name(report.job)} goes on: {line}"
        if isinstance(report, StatusReport):
            states = ", ".join(f"{row.name} {row.replication_state}" for row in report)
            return f"↳ {call.spec.name}: {states}"
        headline = make_page(to_json(report)).headline
        return f"↳ {headline or f'{call.spec.name}: done'}"

    # --- the fabric itself --------------------------------------------------------------------

    def _here(self, call: Call) -> object:
        """A command that is a process of its own on the command line."""
        from srshell.model.errors import SrError

        name = call.spec.name
        if name not in HERE:
            facts = "it is a process of its own; IPython runs it from a line that begins with !"
            raise SrError.make("SR0108", facts=facts, mend=f"srshell {name}", option=name)
        if name.startswith("lab "):
            return self._labs.run(call)
        if name == "dash":
            from srshell_magics.dashboard import open_dashboard
            from srshell_magics.front import Front

            front = Front.of(self.shell)
            return open_dashboard(call, self.connection, front, read_only=self.settings.read_only)
        if name == "stop":
            return self._stop(keep_sites=bool(call.arguments.get("keep_sites")))
        return self._attach(None, call.arguments)

    @property
    def _labs(self) -> LabMagic:
        """The labs of this shell, once one is begun."""
        if self._lab_magic is None:
            from srshell_magics.lab_magic import LabMagic

            self._lab_magic = LabMagic(self.connection)
        return self._lab_magic

    def _fabric(self, words: list[str]) -> object:
        """`%fabric`: show, start, attach or stop the fabric that this shell speaks to."""
        from srshell_magics.fabric_magic import read_fabric

        action, name, options = read_fabric(words)
        if action == "stop":
            return self._stop(keep_sites=bool(options.get("keep_sites")))
        if action in {"start", "attach"}:
            return self._attach(name, options, start=action == "start")
        return self.connection.fabric().perform("info", {})

    def _attach(
        self, name: str | None, options: Mapping[str, object], *, start: bool = True
    ) -> object:
        """Speak to a fabric, starting its owner if that is wanted."""
        from srshell_magics.connection import Wanted

        profile = options.get("profile")
        wanted = Wanted(
            name,
            start=start,
            sandbox=bool(options.get("sandbox")),
            profile=profile if isinstance(profile, str) else None,
        )
        return self.connection.attach(wanted).perform("info", {})

    def _stop(self, *, keep_sites: bool) -> object:
        """Tell the owner to end; with none there is nothing to do."""
        from srshell.model.errors import SrError
        from srshell_magics.connection import Wanted

        fabric = self.connection.connected
        if fabric is None:
            wanted = attrs.evolve(self.connection.wanted, start=False)
            try:
                fabric = self.connection.attach(Wanted(wanted.name, start=False))
            except SrError as error:
                if error.code != "SR9001":
                    raise
                print("no owner runs")
                return None
        try:
            return fabric.stop_owner(keep_sites=keep_sites)
        finally:
            self.connection.close()
            self.connection.wanted = attrs.evolve(self.connection.wanted, start=True)


def _flags(spec: CommandSpec) -> set[str]:
    """The options of a command itself."""
    return {flag for argument in spec.arguments for flag in argument.flags}


def _kept(call: Call, report: object) -> str:
    """The line that says where the page with charts was written."""
    from srshell.fabric.keeping import keep_report
    from srshell.model.report import encode

    return f"written: {keep_report(call, encode(report))}"
