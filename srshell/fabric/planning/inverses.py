"""The way back: which commands undo a command.

Always true:

(1) A command line that is named can be typed once the command has been carried out.
(2) What cannot be undone is None, never an empty way back; nothing that only looks needs one.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from srshell.fabric.snapshot import Snapshot, View
from srshell.model.geometry import format_exact
from srshell.model.states import ReplicationState

#: The commands that undo another, in the order in which they are typed.
Back = tuple[str, ...] | None
Arguments = Mapping[str, Any]


def way_back(verb: str, arguments: Arguments, before: View, after: View) -> Back:
    """The command lines that undo a command, or None.

    Args:
        verb: what is carried out.
        arguments: with what.
        before: the fabric before it.
        after: the fabric after it.
    """
    make = _WAYS.get(verb)
    return None if make is None else make(arguments, before, after)


def _line(*words: object) -> str:
    return shlex.join(["srshell", *(str(word) for word in words)])


def _nothing(_arguments: Arguments, _before: View, _after: View) -> Back:
    return ()


def _classify(arguments: Arguments, before: View, _after: View) -> Back:
    array, _, name = arguments["pool"].partition("/")
    pool = before.snapshot.find_pool(array, name)
    if pool is None or pool.classification is None:
        return None  # a pool that has a class keeps one
    return (_line("classify", arguments["pool"], pool.classification),)


def _pair(arguments: Arguments, _before: View, _after: View) -> Back:
    return (_line("unpair", arguments["array"]),)


def _unpair(arguments: Arguments, before: View, _after: View) -> Back:
    pair = before.snapshot.pair_of(arguments["array"])
    return None if pair is None else (_line("pair", pair.array, pair.peer),)


def _rename(arguments: Arguments, _before: View, _after: View) -> Back:
    return (_line("rename", arguments["name"], arguments["array"]),)


def _provision(_arguments: Arguments, before: View, after: View) -> Back:
    had = {volume.name for volume in before.snapshot.volumes}
    new = [volume.name for volume in after.snapshot.volumes if volume.name not in had]
    return tuple(_line("volume", "rm", name, "--confirm", name) for name in new)


def _create_group(arguments: Arguments, _before: View, _after: View) -> Back:
    return (_line("group", "rm", arguments["name"]),)


def _remove_group(arguments: Arguments, before: View, _after: View) -> Back:
    group = before.snapshot.group(arguments["group"])
    words = ("group", "create", group.name, "--data", *group.data, "--log", group.log)
    return (_line(*words, "--on-peer-loss", group.on_peer_loss.value),)


def _set_policy(arguments: Arguments, before: View, _after: View) -> Back:
    if arguments.get("verify_every_hours") is not None:
        return None
    group = before.snapshot.group(arguments["group"])
    partnership = before.snapshot.partnership_of(group.name)
    words: list[object] = []
    if arguments.get("on_peer_loss") is not None:
        words += ["--on-peer-loss", group.on_peer_loss.value]
    if partnership is not None and arguments.get("copy_rate") is not None:
        words += ["--copy-rate", _rate(partnership.copy_bytes_per_second)]
    if partnership is not None and arguments.get("copy_priority") is not None:
        words += ["--copy-priority", partnership.copy_priority]
    return (_line("group", "set", group.name, *words),)


def _set_copy_rate(_arguments: Arguments, before: View, _after: View) -> Back:
    return (_line("copies", "set", _rate(before.snapshot.copy_bytes_per_second)),)


def _rate(bytes_per_second: int) -> str:
    return format_exact(bytes_per_second) if bytes_per_second else "unlimited"


def _enable(arguments: Arguments, _before: View, _after: View) -> Back:
    return (_line("teardown", arguments["source"], "--confirm", arguments["source"]),)


def _teardown(arguments: Arguments, before: View, after: View) -> Back:
    group = arguments["group"]
    primary, torn = before.primary_of(group), after.snapshot.partnership_of(group)
    if primary is None or torn is not None:
        return None
    other = before.partner(primary)
    arrays = [before.snapshot.group(name).array for name in (primary, other) if name]
    enabled = _line("enable", primary, other, "--seeded", "--confirm", other)
    return (enabled, _line("refresh", *arrays))


def _prepare(arguments: Arguments, _before: View, _after: View) -> Back:
    return (_line("resume", arguments["group"]),)


def _role_change(arguments: Arguments, before: View, after: View) -> Back:
    group = arguments["group"]
    first, leads = before.primary_of(group), after.primary_of(group)
    partnership = after.snapshot.partnership_of(group)
    if (
        first is None
        or leads is None
        or partnership is None
        or arguments.get("kind") == "unplanned"
    ):
        return None
    if first == partnership.source:
        return (_line("failback", leads, "--confirm", first),)
    return (_line("failover", first, "--planned", "--confirm", first),)


def _suspend(arguments: Arguments, _before: View, _after: View) -> Back:
    return (_line("resume", arguments["group"]),)


def _resume(arguments: Arguments, before: View, _after: View) -> Back:
    group = arguments["group"]
    primary = before.primary_of(group) or group
    if arguments.get("alone"):
        return None
    if before.state(primary) is ReplicationState.PREPARED_FOR_FAILOVER:
        return (_line("prepare", primary),)
    return (_line("suspend", group),)


def _add_vm(arguments: Arguments, before: View, _after: View) -> Back:
    known = _machine(before.snapshot, arguments["name"])
    if known is not None:
        return (_line("vm", "add", known.name, "--volume", known.volume),)
    return (_line("vm", "rm", arguments["name"]),)


def _remove_vm(arguments: Arguments, before: View, _after: View) -> Back:
    known = _machine(before.snapshot, arguments["name"])
    return None if known is None else (_line("vm", "add", known.name, "--volume", known.volume),)


def _machine(snapshot: Snapshot, name: str) -> Any:  # noqa: ANN401 - a machine or None
    return next((vm for vm in snapshot.vms if vm.name == name), None)


def _nbd(arguments: Arguments, _before: View, _after: View) -> Back:
    off = ["--off"] if arguments.get("on", True) else []
    return (_line("nbd", arguments["volume"], *off),)


def _export_branch(arguments: Arguments, _before: View, _after: View) -> Back:
    off = ["--off"] if arguments.get("on", True) else []
    return (_line("branch", "export", arguments["name"], *off),)


_WAYS: Final[dict[str, Callable[[Arguments, View, View], Back]]] = {
    "wait": _nothing,
    "refresh": _nothing,
    "verify": _nothing,
    "restart": _nothing,
    "classify": _classify,
    "pair": _pair,
    "unpair": _unpair,
    "rename": _rename,
    "provision": _provision,
    "provision_pair": _provision,
    "create_group": _create_group,
    "remove_group": _remove_group,
    "set_policy": _set_policy,
    "set_copy_rate": _set_copy_rate,
    "enable": _enable,
    "teardown": _teardown,
    "prepare": _prepare,
    "failover": _role_change,
    "failback": _role_change,
    "suspend": _suspend,
    "resume": _resume,
    "add_vm": _add_vm,
    "remove_vm": _remove_vm,
    "nbd": _nbd,
    "export_branch": _export_branch,
}
