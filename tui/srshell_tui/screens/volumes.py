"""All volumes: where they are, what they are for, who uses them."""

from __future__ import annotations

from srshell.fabric.pages.words import UNKNOWN, size
from srshell.model.inventory import Volume
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.scene import Scene, chosen_index, matches, moment, window
from srshell_tui.text import Column, Drawing, Line, Piece, Tone, fit, head, row, rule, spans

_KEYS: tuple[Key, ...] = (
    ("?", "help"), (":", "command"), ("/", "find"), ("enter", "its group"), ("P", "provision"),
    ("x", "export"), ("esc", "back"), ("q", "quit"),
)  # fmt: skip
_NARROW = (
    Column("VOLUME", 20), Column("ARRAY/POOL", 20), Column("KIND", 4),
    Column("SIZE", 9, right=True), Column("BLOCK", 5, right=True), Column("GROUP", 14),
)  # fmt: skip
_WIDE = (*_NARROW, Column("USED BY", 16), Column("PATH", 38))


def draw_volumes(scene: Scene) -> Drawing:
    """The screen of volumes."""
    width = scene.width
    members = {
        name: group.name
        for group in scene.view.groups.values()
        for name in (*group.data, group.log)
    }
    users = {vm.volume: vm.name for vm in scene.view.vms.values()}
    found = [
        volume
        for volume in scene.view.volumes.values()
        if matches(scene.look.filter, (volume.name, volume.array, volume.pool, volume.kind.value,
                                       members.get(volume.name, "")))
    ]  # fmt: skip
    found.sort(key=lambda volume: volume.name)
    keys = tuple(volume.name for volume in found)
    chosen = chosen_index(keys, scene.look.cursor)
    columns = _WIDE if scene.wide else _NARROW
    mark = f"find: {scene.look.filter}" if scene.look.filter else ""
    lines = [rule(f"Volumes ({len(found)})", width, mark), head(columns, width)]
    first, end = window(len(found), chosen, scene.height - 9)
    for index, volume in enumerate(found[first:end], first):
        cells = _cells(volume, members, users, wide=scene.wide)
        lines.append(row(columns, cells, width, chosen=index == chosen))
    if not found:
        lines.append(fit(spans(("   none", Tone.DIM)), width))
    at = None if chosen is None else 2 + chosen - first
    if chosen is not None:
        lines += _details(scene, found[chosen], members, users)
    shown = [key for key in _KEYS if not (scene.read_only and key[1] == "provision")]
    body = Body(lines, at, keys, shown=(first, end))
    return compose(scene, (top(scene, ("Volumes",)),), body, shown)


def _cells(
    volume: Volume, members: dict[str, str], users: dict[str, str], *, wide: bool
) -> list[Piece]:
    """The cells of one volume."""
    cells: list[Piece] = [
        volume.name,
        f"{volume.array}/{volume.pool}",
        volume.kind.value,
        size(volume.size_bytes),
        str(volume.block_bytes),
        members.get(volume.name, UNKNOWN),
    ]
    return [*cells, users.get(volume.name, UNKNOWN), volume.path] if wide else cells


def _details(
    scene: Scene, volume: Volume, members: dict[str, str], users: dict[str, str]
) -> list[Line]:
    """The chosen volume in full."""
    width = scene.width
    group = members.get(volume.name)
    status = scene.view.status.get(group) if group else None
    role = ("source" if status.is_primary else "destination") if status and status.peer else UNKNOWN
    used = f" side   {role}   group {group or UNKNOWN}   machine {users.get(volume.name, UNKNOWN)}"
    used += f"   made {moment(volume.created_unix, scene.now)}"
    texts = (f" path   {volume.path or UNKNOWN}", used)
    return [rule(volume.name, width), *(fit(spans(text), width) for text in texts)]
