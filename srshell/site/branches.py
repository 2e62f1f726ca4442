"""The branches of a site: what losers of split brains wrote, found in its pools.

Always true:

(1) What is there is read from the descriptions, each time: a site that was started anew, or whose
    owner has lost its catalogue, knows every branch.
(2) A branch is taken away description first: what is left of it is no branch, and is swept away
    when the site starts.  Where a description cannot be read, nothing is swept.
(3) Nothing is removed while a client reads it, nor for being old before its day.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.engine.branch import write_description
from srshell.model.branch import (
    BRANCH_FOLDER,
    DESCRIPTION_SUFFIX,
    IMAGE_SUFFIX,
    Branch,
    decode_branch,
)
from srshell.model.errors import SrError
from srshell.model.identity import unknown
from srshell.model.inventory import PoolKind
from srshell.model.report import NbdExport
from srshell.site.api import BranchList, SiteBranch
from srshell.site.errors import readable_errors
from srshell.site.exports import Exports
from srshell.site.journal import Journal
from srshell.site.labels import sync_directory
from srshell.site.store import Store
from srshell.site.volumes import HostedVolume
from srshell.storage import Disk

_DESCRIPTION_BYTES_MAX: Final = 16 * 1024 * 1024


@attrs.frozen
class _Folder:
    """What one folder holds; nothing is left out silently."""

    path: Path
    branches: tuple[Branch, ...] = ()
    damaged: tuple[SrError, ...] = ()
    leftovers: tuple[str, ...] = ()


@attrs.define(eq=False)
class Branches:
    """Finds, serves, keeps and removes branches."""

    store: Store
    exports: Exports
    journal: Journal
    wall_seconds: Callable[[], float]
    _changing: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def start(self) -> None:
        """Sweep away what was cut short, and serve again what was served."""
        for folder in await self._folders():
            if folder.leftovers and not folder.damaged:
                await asyncio.to_thread(_sweep, folder)
        for found in (await self.listed()).branches:
            served = self._export_names(found.branch)
            if any(name in self.exports.names for name in served):
                with suppress(SrError):
                    await self.export(found.branch.name)

    async def folder_for(self, volumes: tuple[HostedVolume, ...]) -> str:
        """Return where branches of these volumes lie, made if need be: beside the first of them.

        A block device has no room beside its volume: its branches lie in the site's directory.
        """
        pool = volumes[0].pool
        place = pool.path if pool.label.kind is PoolKind.FILE else self.store.settings.directory
        folder = place / BRANCH_FOLDER
        await asyncio.to_thread(_make_folder, folder)
        return str(folder)

    async def listed(self) -> BranchList:
        """All branches, the oldest first, and what looks like one and cannot be read."""
        folders = await self._folders()
        found = [
            await self._describe(folder.path, branch)
            for folder in folders
            for branch in folder.branches
        ]
        damaged = tuple(
            f"{error.code} {error.facts}" for folder in folders for error in folder.damaged
        )
        return BranchList(tuple(sorted(found, key=lambda each: each.branch.saved_unix)), damaged)

    async def in_pool(self, name: str) -> str:
        """Return the name of a branch that lies in a pool; empty if there is none."""
        pool = self.store.pools.get(name)
        if pool is None or pool.label.kind is not PoolKind.FILE:
            return ""
        folder = str(pool.path / BRANCH_FOLDER)
        found = [each for each in (await self.listed()).branches if each.directory == folder]
        return found[0].branch.name if found else ""

    async def find(self, name: str) -> SiteBranch:
        """Return one branch.

        Raises:
            SrError: SR0105, there is none of that name.
        """
        found = (await self.listed()).branches
        for each in found:
            if each.branch.name == name:
                return each
        known = [each.branch.name for each in found]
        raise unknown("branch", name, known, mend="srshell branches")

    async def export(self, name: str) -> tuple[NbdExport, ...]:
        """Serve the images of a branch, read-only.

        Raises:
            SrError: SR0105; SR6027, an image is missing or of another size.
        """
        async with self._changing:
            found = await self.find(name)
            served = []
            for image in found.branch.images:
                path = str(Path(found.directory) / image.file)
                export = _export_name(image.volume, name)
                served.append(await self.exports.add_image(export, path, image))
            return tuple(served)

    async def unexport(self, name: str) -> None:
        """Serve a branch no longer; its clients are disconnected."""
        async with self._changing:
            for export in self._export_names((await self.find(name)).branch):
                await self.exports.remove_image(export)

    async def keep(self, name: str, expires_unix: float) -> SiteBranch:
        """Set the day of a branch anew, durably."""
        async with self._changing:
            found = await self.find(name)
            changed = attrs.evolve(found.branch, expires_unix=expires_unix)
            with readable_errors():
                await write_description(self._disk(), found.directory, changed)
            return await self.find(name)

    async def remove(self, name: str, *, expired: bool) -> None:
        """Remove a branch; ``expired``: only if its day is over by this site's clock, too.

        Raises:
            SrError: SR0105; SR6028, a client is reading it.
        """
        async with self._changing:
            found = await self.find(name)
            if expired and self.wall_seconds() < found.branch.expires_unix:
                return
            exports = self._export_names(found.branch)
            if any(self.exports.clients(export) for export in exports):
                raise SrError.make("SR6028", facts="an NBD client is connected", branch=name)
            for export in exports:
                await self.exports.remove_image(export)
            await asyncio.to_thread(_remove, Path(found.directory), found.branch)
        self.journal.add("branch", f"branch {name} was removed")

    async def described(self, branch: Branch, directory: str) -> SiteBranch:
        """Return a branch that was just made."""
        return await self._describe(Path(directory), branch)

    def _disk(self) -> Disk:
        return Disk(self.store.raw, None)

    def _export_names(self, branch: Branch) -> list[str]:
        return [_export_name(image.volume, branch.name) for image in branch.images]

    async def _describe(self, folder: Path, branch: Branch) -> SiteBranch:
        used_bytes = await asyncio.to_thread(_used_bytes, folder, branch)
        served = tuple(
            self.exports.describe_image(name)
            for name in self._export_names(branch)
            if name in self.exports.images
        )
        return SiteBranch(branch, str(folder), used_bytes, served)

    async def _folders(self) -> list[_Folder]:
        """Read every folder in which branches of this site can lie."""
        places = [self.store.settings.directory / BRANCH_FOLDER]
        places += [
            pool.path / BRANCH_FOLDER
            for pool in self.store.pools.values()
            if pool.label.kind is PoolKind.FILE
        ]
        array = self.store.settings.array
        return [await asyncio.to_thread(_read_folder, place, array) for place in places]


def _export_name(volume: str, branch: str) -> str:
    """The name under which clients find a volume of a branch; no volume can be called so."""
    return f"{volume}@{branch}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(20, "not a directory")
        sync_directory(folder.parent)
    except OSError as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR9220", facts=facts, operation="mkdir", file=str(folder)) from error


def _read_folder(place: Path, array: str) -> _Folder:
    """Read all descriptions of a folder; a folder that is not there is empty.  Blocks."""
    try:
        names = sorted(entry.name for entry in os.scandir(place))
    except OSError:
        return _Folder(place)
    branches, damaged = [], []
    for name in names:
        if name.endswith(DESCRIPTION_SUFFIX):
            try:
                found = _read_description(place / name)
            except SrError as error:
                damaged.append(error)
                continue
            # The folder is this array's, whatever it was called when the branch was saved.
            branches.append(attrs.evolve(found, array=array))
    described = {image.file for branch in branches for image in branch.images}
    ours = (IMAGE_SUFFIX, f"{DESCRIPTION_SUFFIX}.new")
    leftovers = [name for name in names if name.endswith(ours) and name not in described]
    return _Folder(place, tuple(branches), tuple(damaged), tuple(leftovers))


def _read_description(path: Path) -> Branch:
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(_DESCRIPTION_BYTES_MAX)
    except OSError as error:
        facts = f"{path}: {error.strerror or error}"
        raise SrError.make("SR6027", facts=facts, branch=path.name) from error
    branch = decode_branch(data, str(path))
    if path.name != f"{branch.name}{DESCRIPTION_SUFFIX}":
        facts = f"{path} describes {branch.name!a}"
        raise SrError.make("SR6027", facts=facts, branch=path.name)
    return branch


def _used_bytes(folder: Path, branch: Branch) -> int:
    """The room that the images take; blocks that they share with a volume count.  Blocks."""
    used_bytes = 0
    for image in branch.images:
        with suppress(OSError):
            used_bytes += (folder / image.file).lstat().st_blocks * 512
    return used_bytes


def _sweep(folder: _Folder) -> None:
    for name in folder.leftovers:
        with suppress(OSError):
            (folder.path / name).unlink()


def _remove(folder: Path, branch: Branch) -> None:
    """Take a branch away, its description first.  Blocks."""
    try:
        (folder / f"{branch.name}{DESCRIPTION_SUFFIX}").unlink(missing_ok=True)
        sync_directory(folder)
        for image in branch.images:
            (folder / image.file).unlink(missing_ok=True)
        sync_directory(folder)
    except OSError as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR9220", facts=facts, operation="remove", file=str(folder)) from error
