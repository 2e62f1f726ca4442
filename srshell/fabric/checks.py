"""Every check of the rules, by the command that asks for it.

Always true:

(1) A check is a pure function: it asks nobody, changes nothing, and says the same twice.
(2) It returns a `Verdict`; ``check(...).enforce()`` raises the first rule that is broken.
(3) Each error carries code, rule number, measured facts, and a command line that mends it.
"""

from __future__ import annotations

from srshell.fabric.checks_arrays import (
    check_classify,
    check_discover,
    check_manage_pool,
    check_pair,
    check_rename,
    check_unpair,
)
from srshell.fabric.checks_common import Wanted
from srshell.fabric.checks_enable import check_enable
from srshell.fabric.checks_flow import (
    check_policy,
    check_resolve,
    check_restart,
    check_resume,
    check_suspend,
    check_teardown,
    check_verify,
    check_wait,
)
from srshell.fabric.checks_groups import (
    check_group,
    check_progress,
    check_refresh,
    check_remove_group,
    copies_to_start,
)
from srshell.fabric.checks_machines import (
    check_add_vm,
    check_export,
    check_remove_vm,
    check_remove_volume,
)
from srshell.fabric.checks_roles import (
    Direction,
    Loss,
    check_failback,
    check_failover,
    check_prepare,
    check_roles,
    resolve_direction,
)
from srshell.fabric.checks_volumes import check_provision
from srshell.fabric.findings import Findings, Verdict
from srshell.fabric.snapshot import SiteFacts, Snapshot, View

__all__ = [
    "Direction",
    "Findings",
    "Loss",
    "SiteFacts",
    "Snapshot",
    "Verdict",
    "View",
    "Wanted",
    "check_add_vm",
    "check_classify",
    "check_discover",
    "check_enable",
    "check_export",
    "check_failback",
    "check_failover",
    "check_group",
    "check_manage_pool",
    "check_pair",
    "check_policy",
    "check_prepare",
    "check_progress",
    "check_provision",
    "check_refresh",
    "check_remove_group",
    "check_remove_vm",
    "check_remove_volume",
    "check_rename",
    "check_resolve",
    "check_restart",
    "check_resume",
    "check_roles",
    "check_suspend",
    "check_teardown",
    "check_unpair",
    "check_verify",
    "check_wait",
    "copies_to_start",
    "resolve_direction",
]
