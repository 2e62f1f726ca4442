"""The search as a program: ``python -m tests.model``, and ``--deep`` for ten million states.

    --deep            the scopes of `DEEP_SCOPES`, each up to three million states: ten minutes or
                      so of one processor, less than a gigabyte
    --scope N         only the N-th of them (from 1)
    --states N        up to N states of each scope, nearest first

Always true: the last line is one JSON object of figures; the exit status is 0 only if every
promise holds in every state, and calm leads back in step from each state for which it is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import attrs

from srshell.model.replica import OnPeerLoss
from tests.model import calm
from tests.model.group import Scope
from tests.model.search import Search

#: The smallest scope in which everything can happen.
EVERYTHING = Scope(writes_max=1, epochs_max=2, copies=True, policy_changes=True)
#: What a person may order under suspend-io, continue does by itself: it adds promises, not orders.
STRICT = (OnPeerLoss.SUSPEND_IO,)
FREE = (OnPeerLoss.CONTINUE,)
#: What the test run searches: a million states in about forty seconds.
SCOPES = (
    EVERYTHING,
    Scope(writes_max=2, epochs_max=2),
    Scope(writes_max=1, epochs_max=3, policies=STRICT),
    Scope(writes_max=1, epochs_max=3, policies=FREE, copies=True, witness=True),
    Scope(
        writes_max=1,
        epochs_max=2,
        policies=tuple(OnPeerLoss),
        copies=True,
        policy_changes=True,
        witness=True,
    ),
    Scope(writes_max=2, epochs_max=2, copies=True, witness=True),
)
DEEP_SCOPES = (
    Scope(writes_max=1, epochs_max=3, policies=tuple(OnPeerLoss), copies=True, policy_changes=True),
    Scope(writes_max=2, epochs_max=3, copies=True),
    Scope(writes_max=2, epochs_max=3, copies=True, witness=True),
    Scope(writes_max=3, epochs_max=2, copies=True),
    Scope(writes_max=1, epochs_max=4),
    Scope(writes_max=3, epochs_max=3, policies=FREE),
)
#: A scope without end is searched up to here.
DEEP_STATES = 3_000_000
#: Above this, calm is not asked from every state: it walks from each of them.
_CALM_MAX = 300_000


@attrs.frozen
class Searched:
    """What one scope came to."""

    states: int
    violations: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Search every scope; return 0 when all promises hold and calm always leads back in step."""
    parser = argparse.ArgumentParser(prog="python -m tests.model")
    parser.add_argument("--deep", action="store_true", help="more writes, epochs and policies")
    parser.add_argument("--scope", type=int, metavar="N", help="only the N-th scope")
    parser.add_argument("--states", type=int, metavar="N", help="of each scope")
    options = parser.parse_args(arguments)
    bound = options.states or (DEEP_STATES if options.deep else None)
    scopes: Sequence[Scope] = DEEP_SCOPES if options.deep else SCOPES
    if options.scope is not None:
        scopes = scopes[options.scope - 1 : options.scope]
    searched = [_search(scope, bound) for scope in scopes]
    states = sum(one.states for one in searched)
    violations = sum(one.violations for one in searched)
    sys.stdout.write(json.dumps({"states": states, "violations": violations}) + "\n")
    return int(violations > 0)


def _search(scope: Scope, states_max: int | None) -> Searched:
    search = Search(scope)
    found = search.run(states_max)
    sys.stdout.write(f"{scope}: {found}\n")
    restless: tuple[str, ...] = ()
    if found.complete and not found.broken and found.states <= _CALM_MAX:
        restless = calm.restless(search.group, search.states)
    if restless:
        sys.stdout.write("  never in step again:\n    " + "\n    ".join(restless) + "\n")
    sys.stdout.flush()
    return Searched(found.states, int(bool(found.broken)) + int(bool(restless)))


if __name__ == "__main__":
    sys.exit(main())
