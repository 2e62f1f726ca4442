"""What a cmdlet becomes: one command of srshell, or a few.

Always true:

(1) Everything is done by commands of the registry, with their rules, plans and errors; a cmdlet
    adds none of its own.
(2) What the article leaves to the console or to patience is done before the command that needs it,
    and said; ``strict`` leaves it undone, so that the command refuses.
(3) ``-WhatIf`` ends in a plan: nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import attrs

from srshell.fabric.calls import unreadable
from srshell.model.errors import SrError
from srshell.model.identity import nearest
from srshell.model.states import ReplicationState
from srshell_magics.vmm.binding import Bound
from srshell_magics.vmm.values import items_of, name_of, plain, property_of, unwrapped

_MODES: Final = {"Synchronous": "sync", "Asynchronous": "async"}
_READY: Final = ReplicationState.SYNCHRONIZING.value
_ENABLED: Final = ReplicationState.READY.value
_DISABLED: Final = ReplicationState.DISABLED.value


class Runner(Protocol):
    """Carries commands out, and tells what is done."""

    strict: bool

    def run(self, words: list[str]) -> Any:  # noqa: ANN401 - the command's report
        """Carry out a command that the cell's author asked for, and show it."""

    def look(self, words: list[str]) -> Any:  # noqa: ANN401
        """Carry out a command that only looks, without showing it."""

    def note(self, text: str) -> None:
        """Say something about the statement."""


@attrs.define
class Doing:
    """One cmdlet being done."""

    bound: Bound
    runner: Runner

    def do(self) -> Any:  # noqa: ANN401
        """Do it and return what it hands on."""
        for parameter in self.bound.left_out:
            self.runner.note(f"-{parameter.name} is left out: {parameter.why}")
        return _DOES[self.bound.cmdlet.name](self)

    # --- parts ----------------------------------------------------------------------------------

    def change(self, *words: str) -> Any:  # noqa: ANN401
        """Carry out a changing command, or show its plan."""
        typed = list(words)
        if self.bound.given("WhatIf"):
            typed = [word for word in typed if word != "--bg"]
            return self.runner.run([*typed, "-n"])
        if self.bound.given("RunAsynchronously") and not self._is_left_out("RunAsynchronously"):
            typed.append("--bg")
        if self.bound.given("Confirm") and "--confirm" in typed:
            at = typed.index("--confirm")
            del typed[at : at + 2]  # the command then asks, or shows the line to type
        return self.runner.run(typed)

    def _is_left_out(self, name: str) -> bool:
        return any(parameter.name == name for parameter in self.bound.left_out)

    def name(self, parameter: str) -> str:
        """The name that a parameter stands for; refused when it stands for nothing."""
        name = name_of(self.bound[parameter])
        if not name:
            given = parameter in self.bound.values
            problem = f"-{parameter} is $null" if given else f"-{parameter} is missing"
            raise unreadable("", f"{self.bound.cmdlet.name}: {problem}")
        return name

    def names(self, parameter: str) -> list[str]:
        """The names that a parameter lists."""
        names = [name_of(item) for item in items_of(self.bound[parameter])]
        return [name for name in names if name] or [self.name(parameter)]

    def rows(self, *words: str, noun: str, fields: Iterable[str] = ("name",)) -> Any:  # noqa: ANN401
        """The rows of a list; of one name, when one is given."""
        rows = list(self.runner.run(list(words)))
        array = name_of(self.bound["StorageArray"])
        if array:
            rows = [row for row in rows if property_of(row, "array") == array]
        wanted = self.bound["Name"] if "Name" in self.bound.values else self.bound["ID"]
        if wanted is None and not ({"Name", "ID"} & set(self.bound.values)):
            return rows
        names = {name_of(item) for item in items_of(wanted)}
        found = [row for row in rows if any(str(property_of(row, f)) in names for f in fields)]
        if not found:
            near = nearest(" ".join(sorted(names)), [str(property_of(row, "name")) for row in rows])
            also = f"; did you mean: {', '.join(near)}" if near else ""
            self.runner.note(f"there is no {noun} {' '.join(sorted(names)) or '$null'}{also}")
        return found

    def status(self, group: str) -> dict[str, Any]:
        """Both sides of a group, by name; the primary first."""
        rows = {row.name: row for row in self.runner.look(["status", group])}
        return dict(sorted(rows.items(), key=lambda each: not each[1].is_primary))

    # --- what the article leaves to the console -------------------------------------------------

    def refreshed(self, groups: Iterable[Any]) -> bool:
        """Refresh the providers if any of these groups waits for it."""
        waits = any(plain(row.replication_state) == _ENABLED for row in groups)
        if not waits or self.runner.strict:
            return False
        self.runner.note("the console's Refresh of both providers, step 7 of the article:")
        self.runner.run(["refresh", "--all"])
        return True

    def ready(self, group: str) -> None:
        """Wait until a group is in sync, which the article leaves to patience."""
        if self.runner.strict:
            return
        self.refreshed(self.status(group).values())
        rows = self.status(group).values()
        if any(row.is_primary and plain(row.replication_state) == _READY for row in rows):
            return
        self.runner.note("step 10 of the article begins in the state Synchronizing:")
        self.runner.run(["wait", group, "--until", _READY])

    def cleared(self, array: str) -> None:
        """Remove the machines of an array, which the article does in the console."""
        left = [row.name for row in self.runner.look(["vms"]) if row.array == array]
        if not left or self.runner.strict:
            return
        self.runner.note("the source machines are removed before the failback, in the console:")
        for name in left:
            self.runner.run(["vm", "rm", name])


# --- looking ------------------------------------------------------------------------------------


def _get_arrays(doing: Doing) -> Any:  # noqa: ANN401
    return doing.rows("arrays", noun="array")


def _get_pools(doing: Doing) -> Any:  # noqa: ANN401
    return doing.rows("pools", noun="pool", fields=("name", "location"))


def _get_volumes(doing: Doing) -> Any:  # noqa: ANN401
    return doing.rows("volumes", noun="volume")


def _get_machines(doing: Doing) -> Any:  # noqa: ANN401
    return doing.rows("vms", noun="virtual machine")


def _get_jobs(doing: Doing) -> Any:  # noqa: ANN401
    return doing.rows("jobs", noun="job", fields=("id",))


def _get_classifications(doing: Doing) -> Any:  # noqa: ANN401
    pools = doing.runner.run(["pools"])
    names = sorted({pool.classification for pool in pools if pool.classification})
    wanted = {name_of(item) for item in items_of(doing.bound["Name"])}
    return [{"Name": name} for name in names if not wanted or name in wanted]


def _get_groups(doing: Doing) -> Any:  # noqa: ANN401
    if doing.refreshed(doing.runner.look(["status"])):
        doing.runner.note("and now the status:")
    return doing.rows("status", noun="group")


# --- arrays and volumes -------------------------------------------------------------------------


def _refresh(doing: Doing) -> Any:  # noqa: ANN401
    named = [name_of(item) for item in items_of(doing.bound["StorageProvider"])]
    arrays = [name for name in named if name]
    return doing.change("refresh", *(arrays or ["--all"]))


def _set_array(doing: Doing) -> Any:  # noqa: ANN401
    bound = doing.bound
    array = doing.name("StorageArray")
    if bound.given("UnPair"):
        return doing.change("unpair", array)
    if "PeerStorageArrayName" in bound.values:
        return doing.change("pair", array, doing.name("PeerStorageArrayName"))
    if "Name" in bound.values:
        return doing.change("rename", array, doing.name("Name"))
    raise unreadable("", "Set-SCStorageArray sets nothing: -PeerStorageArrayName, -UnPair or -Name")


def _pool(doing: Doing) -> str:
    """ARRAY/POOL of a new volume."""
    array = name_of(doing.bound["StorageArray"])
    found = items_of(doing.bound["StoragePool"])
    # Pools of two arrays may have one name: the array says which is meant.
    own = [pool for pool in found if property_of(pool, "array") == array]
    doing.bound.values["StoragePool"] = pool = unwrapped(own or found)
    name = doing.name("StoragePool")
    array = array or str(property_of(pool, "array") or "")
    if "/" in name:
        return name
    owner = property_of(pool, "array")
    if array and owner and owner != array:
        facts = f"pool {name} belongs to {owner}, -StorageArray is {array}"
        raise SrError.make("SR0105", facts=facts, noun="pool", name=f"{array}/{name}")
    return f"{array}/{name}" if array else name


def _size(doing: Doing) -> str:
    size = doing.bound["SizeInBytes"]
    if size is None:
        doing.name("SizeInBytes")
    return str(size)


def _new_volume(doing: Doing) -> Any:  # noqa: ANN401
    bound, name = doing.bound, doing.name("Name")
    words = ["provision", name, "--on", _pool(doing), "--size", _size(doing)]
    if bound.given("GuidPartitionTable"):
        doing.runner.note("a volume with -GuidPartitionTable is for a log, as in the article")
        words.append("--log")
    if bound["AllocationUnitSizeKB"] is not None:
        words += ["--block-size", f"{bound['AllocationUnitSizeKB']}K"]
    report = doing.change(*words)
    made = [volume for volume in items_of(report) if getattr(volume, "name", "") == name]
    return made[0] if made else report


def _remove_volume(doing: Doing) -> Any:  # noqa: ANN401
    name = doing.name("StorageVolume")
    return doing.change("volume", "rm", name, "--confirm", name)


# --- groups -------------------------------------------------------------------------------------


def _new_group(doing: Doing) -> Any:  # noqa: ANN401
    name = doing.name("Name")
    if doing.bound["ProtectionMode"] == "Asynchronous":
        raise SrError.make("SR3003")
    report = doing.change(
        "group", "create", name, "--data", *doing.names("StorageVolume"),
        "--log", doing.name("LogStorageVolume"),
    )  # fmt: skip
    if doing.bound.given("WhatIf"):
        return report
    return doing.status(name).get(name, report)


def _set_group(doing: Doing) -> Any:  # noqa: ANN401
    operation = doing.bound["Operation"]
    if operation is None:
        raise unreadable("", "Set-SCReplicationGroup needs an -Operation")
    return _OPERATIONS[operation](doing, doing.name("ReplicationGroup"))


def _enable(doing: Doing, group: str) -> Any:  # noqa: ANN401
    mode = _MODES[doing.bound["EnableProtectionMode"] or "Synchronous"]
    return doing.change("enable", group, doing.name("TargetReplicationGroup"), "--mode", mode)


def _prepare(doing: Doing, group: str) -> Any:  # noqa: ANN401
    if not doing.bound.given("WhatIf"):
        doing.ready(group)
    return doing.change("prepare", group)


def _failover(doing: Doing, group: str) -> Any:  # noqa: ANN401
    return doing.change("failover", group, "--planned", "--confirm", group)


def _reverse(doing: Doing, group: str) -> Any:  # noqa: ANN401
    rows = doing.status(group)
    becomes = next((name for name, row in rows.items() if not row.is_primary), group)
    words = ["failback", group]
    if "TargetReplicationGroup" in doing.bound.values:
        words += ["--target", doing.name("TargetReplicationGroup")]
    if not doing.bound.given("WhatIf"):
        doing.cleared(rows[becomes].array)
    doing.runner.note(f"{becomes} becomes primary again")
    return doing.change(*words, "--confirm", becomes)


def _prepare_reverse(doing: Doing, group: str) -> Any:  # noqa: ANN401
    doing.runner.note("the old primary is brought back in step by itself; this waits for it")
    return doing.runner.run(["wait", group, "--until", _READY])


def _resync(doing: Doing, group: str) -> Any:  # noqa: ANN401
    doing.runner.note("what differs is copied as soon as replication goes on")
    return doing.change("resume", group)


def _tear_down(doing: Doing, group: str) -> Any:  # noqa: ANN401
    sides = doing.status(group)
    if all(plain(row.replication_state) == _DISABLED for row in sides.values()):
        doing.runner.note(f"{group} is torn down already, with its partner")
        return list(sides.values())
    doing.runner.note("both sides are torn down at once; the article does one after the other")
    return doing.change("teardown", group, "--confirm", group)


def _remove_group(doing: Doing) -> Any:  # noqa: ANN401
    return doing.change("group", "rm", doing.name("ReplicationGroup"))


# --- machines -----------------------------------------------------------------------------------


def _new_machine(doing: Doing) -> Any:  # noqa: ANN401
    volume = doing.name("Path")
    if not doing.bound.given("WhatIf"):
        doing.refreshed(doing.runner.look(["status"]))
    return doing.change("vm", "add", doing.name("Name"), "--volume", volume)


def _remove_machine(doing: Doing) -> Any:  # noqa: ANN401
    return doing.change("vm", "rm", doing.name("VM"))


_OPERATIONS: Final[dict[str, Callable[[Doing, str], Any]]] = {
    "EnableProtection": _enable,
    "PrepareForFailover": _prepare,
    "Failover": _failover,
    "PrepareForReverseRoles": _prepare_reverse,
    "ReverseRoles": _reverse,
    "Resync": _resync,
    "TearDown": _tear_down,
}
_DOES: Final[dict[str, Callable[[Doing], Any]]] = {
    "Get-SCStorageProvider": _get_arrays,
    "Read-SCStorageProvider": _refresh,
    "Get-SCStorageArray": _get_arrays,
    "Get-SCStoragePool": _get_pools,
    "Get-SCStorageClassification": _get_classifications,
    "Get-SCStorageVolume": _get_volumes,
    "Get-SCReplicationGroup": _get_groups,
    "Get-SCVirtualMachine": _get_machines,
    "Get-SCJob": _get_jobs,
    "Set-SCStorageArray": _set_array,
    "New-SCStorageVolume": _new_volume,
    "Remove-SCStorageVolume": _remove_volume,
    "New-SCReplicationGroup": _new_group,
    "Set-SCReplicationGroup": _set_group,
    "Remove-SCReplicationGroup": _remove_group,
    "New-SCVirtualMachine": _new_machine,
    "Remove-SCVirtualMachine": _remove_machine,
}
