"""`python -m tests.model`: the search as a program; ``--deep`` goes as far as an hour allows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from srshell.model.replica import OnPeerLoss
from tests.model import calm
from tests.model.group import Scope
from tests.model.search import Search

#: The smallest scope in which everything can happen.
EVERYTHING = Scope(writes_max=1, epochs_max=2, copies=True, policy_changes=True)
#: What a person may order under suspend-io, continue does by itself: it adds promises, not orders.
STRICT = (OnPeerLoss.SUSPEND_IO,)
#: What the test run searches: half a million states in about half a minute.
SCOPES = (
    EVERYTHING,
    Scope(writes_max=2, epochs_max=2),
    Scope(writes_max=1, epochs_max=3, policies=STRICT),
)
DEEP_SCOPES = (
    Scope(writes_max=1, epochs_max=3, policies=tuple(OnPeerLoss), copies=True, policy_changes=True),
    Scope(writes_max=3, epochs_max=2, copies=True),
    Scope(writes_max=2, epochs_max=3),
    Scope(writes_max=2, epochs_max=3, copies=True),
    Scope(writes_max=1, epochs_max=4),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Search every scope; return 0 when all promises hold and calm always leads back in step."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--deep", action="store_true", help="more writes, epochs and policies")
    deep: bool = parser.parse_args(arguments).deep
    failed = False
    for scope in DEEP_SCOPES if deep else SCOPES:
        search = Search(scope)
        found = search.run()
        sys.stdout.write(f"{scope}: {found}\n")
        restless = () if found.broken else calm.restless(search.group, search.states)
        if restless:
            sys.stdout.write("  never in step again:\n    " + "\n    ".join(restless) + "\n")
        failed = failed or bool(found.broken) or bool(restless)
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
