"""What the rules say about a command, and how checks collect it.

Always true:

(1) A broken rule is an error or a warning as its status in the fabric's profile says; a rule that
    does not apply in the profile is not mentioned.
(2) A verdict with an error means that the command changes nothing.
(3) Confirmation is asked for last: a command that would be refused anyway asks for nothing.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable

import attrs

from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.identity import check_name
from srshell.model.rules import RuleStatus, rule


@attrs.frozen
class Verdict:
    """What the rules say about a command: refused, done already, or to be carried out."""

    errors: tuple[SrError, ...] = ()
    warnings: tuple[SrError, ...] = ()
    #: Why nothing is left to do; empty when there is something to do.
    already: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the command may be carried out."""
        return not self.errors

    def enforce(self) -> Verdict:
        """This verdict, if it allows the command.

        Raises:
            SrError: the first rule that is broken.
        """
        if self.errors:
            raise self.errors[0]
        return self


@attrs.define
class Findings:
    """Collects what a check finds."""

    view: View
    errors: list[SrError] = attrs.Factory(list)
    warnings: list[SrError] = attrs.Factory(list)

    def broken(
        self, number: int, facts: str = "", mend: str = "", code: str = "", **names: object
    ) -> None:
        """Rule ``number`` is broken; the profile says what that means.

        Args:
            number: the article's rule.
            facts: what was measured.
            mend: the mending line, where the one of the code does not fit.
            code: a more exact code than the one of the rule.
            names: the objects that sentence and mending line speak of.
        """
        entry = rule(number)
        status = entry.status(self.view.snapshot.profile)
        if status is RuleStatus.NOT_APPLICABLE:
            return
        error = SrError.make(code or entry.code, facts, mend, number, **names)
        (self.errors if status is RuleStatus.ENFORCED else self.warnings).append(error)

    def refuse(self, code: str, facts: str = "", mend: str = "", **names: object) -> None:
        """A rule of ours is broken."""
        self.errors.append(SrError.make(code, facts, mend, None, **names))

    def warn(self, code: str, facts: str = "", mend: str = "", **names: object) -> None:
        """A person should know this; nothing is refused."""
        self.warnings.append(SrError.make(code, facts, mend, None, **names))

    def take(self, error: SrError) -> None:
        """An error that a look-up raised."""
        self.errors.append(error)

    def name(self, text: str, noun: str) -> None:
        """``text`` has to be a name."""
        try:
            check_name(text, noun)
        except SrError as error:
            self.take(error)

    def confirm(self, command: str, effect: str, expected: str, given: str | None) -> None:
        """The command needs ``--confirm expected``, unless it is refused already."""
        if self.errors or given == expected:
            return
        facts = f"--confirm must name {expected}"
        if given is not None:
            facts += f", not {given}"
        line = f"srshell {command} --confirm {expected}"
        self.refuse("SR0101", facts, line, command=command, effect=effect)

    def verdict(self, already: str = "") -> Verdict:
        """What was found; a command that is refused is not done already."""
        return Verdict(tuple(self.errors), tuple(self.warnings), "" if self.errors else already)


def free_name(base: str, taken: Iterable[str]) -> str:
    """A name like ``base`` that is not taken: ``Vol``, then ``Vol-2``, ``Vol-3``."""
    names = set(taken)
    if base not in names:
        return base
    return next(name for n in itertools.count(2) if (name := f"{base[:60]}-{n}") not in names)


def quoted(path: str) -> str:
    """A path as a word of a command line."""
    return shlex.quote(path)
