"""The volumes that a site serves to NBD clients.

Always true:

(1) Clients write to a volume only while it serves: in no replica, or on the side that leads.  One
    that is exported read-only is also shown on the side that follows, while that is a whole copy.
(2) When a volume ceases to serve, what its clients have under way is answered, then they are
    disconnected; they may come back as soon as it serves again.
(3) What is exported is remembered over a restart.
(4) An image of a branch is served read-only, whatever its replica does.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs

from srshell.export.nbd_server import NbdServer
from srshell.model.branch import BranchImage
from srshell.model.errors import SrError
from srshell.model.report import NbdExport
from srshell.site.devices import ExportedCopy, ExportedImage, ExportedVolume
from srshell.site.journal import Journal
from srshell.site.store import Store
from srshell.site.volumes import HostedVolume
from srshell.storage import Disk, StorageError

#: How long calls of a client may take that is being disconnected, and when the site ends.
_DRAIN_SECONDS: Final = 10.0
_FAREWELL_SECONDS: Final = 3.0


class _Use(Enum):
    """How clients use a volume; when this changes, they are disconnected."""

    WRITING = "it is read and written"
    READING = "it is read where it could be written"
    LOOKING = "it is read on the side that follows"


@attrs.define(eq=False)
class Exports:
    """One NBD socket; the name of an export is the name of its volume."""

    store: Store
    journal: Journal
    _server: NbdServer = attrs.field(init=False)
    #: How clients could use each volume when it was looked at last; missing: they could not.
    _serving: dict[str, _Use] = attrs.field(factory=dict, init=False)
    _disconnecting: set[asyncio.Task[int]] = attrs.field(factory=set, init=False)
    #: Images of branches that are open for clients.
    images: dict[str, ExportedImage] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._server = NbdServer(self._find, self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """The exported volumes."""
        return self.store.record.exports

    @property
    def read_only(self) -> tuple[str, ...]:
        """Those of them that take no writes."""
        return self.store.record.read_only_exports

    async def start(self) -> None:
        """Listen for clients.

        Raises:
            SrError: SR9006, the socket cannot be made.
        """
        path = self.store.settings.nbd_socket
        try:
            await self._server.start(path)
        except OSError as error:
            facts = f"{path}: {error.strerror}"
            home = str(self.store.settings.run_directory)
            raise SrError.make("SR9006", facts=facts, fabric=home, example="DIR") from error
        self.refresh(self.names)

    async def add(self, name: str, *, read_only: bool = False) -> NbdExport:
        """Serve a volume; an export is read-only or not, as was said last.

        Raises:
            SrError: SR0105, there is none of that name; SR3008, it is a log.
        """
        volume = self.store.volume(name)
        if volume.facts.log:
            raise SrError.make("SR3008", facts="logs are not exported", log=name, use="it is a log")
        if name not in self.names:
            await self._keep((*self.names, name))
            self.journal.add("export", f"{name} is exported")
        if read_only != (name in self.read_only):
            kept = tuple(other for other in self.read_only if other != name)
            await self._keep(self.names, (*kept, name) if read_only else kept)
        self.refresh((name,))
        await self.disconnected()
        return self.describe(name)

    async def remove(self, name: str) -> None:
        """Serve a volume no more; its clients are disconnected once they are answered.

        One that was lost with its pool ends being remembered.
        """
        if name not in self.names:
            self.store.volume(name)
        else:
            await self._keep(tuple(other for other in self.names if other != name))
            self.journal.add("export", f"{name} is no longer exported")
        self._serving.pop(name, None)
        await self._server.disconnect(name, _DRAIN_SECONDS)

    async def add_image(self, name: str, path: str, image: BranchImage) -> NbdExport:
        """Serve an image of a branch, read-only.

        Raises:
            SrError: SR6027, it is not there or of another size.
        """
        if name not in self.images:
            try:
                disk = Disk(self.store.raw, None)
                file = await disk.open(path, writable=False, lock=False)
            except StorageError as error:
                raise SrError.make("SR6027", facts=str(error), branch=name) from error
            if file.size() != image.size_bytes:
                await file.close()
                facts = f"{path} has {file.size()} of {image.size_bytes} bytes"
                raise SrError.make("SR6027", facts=facts, branch=name)
            self.images[name] = ExportedImage(file, image.block_bytes)
        if name not in self.names:
            await self._keep((*self.names, name))
            self.journal.add("export", f"{name} is exported, read-only")
        return self.describe_image(name)

    async def remove_image(self, name: str) -> None:
        """Serve an image no more; its clients are disconnected once they are answered."""
        if name in self.names:
            await self._keep(tuple(other for other in self.names if other != name))
            self.journal.add("export", f"{name} is no longer exported")
        image = self.images.pop(name, None)
        await self._server.disconnect(name, _DRAIN_SECONDS)
        if image is not None:
            await image.close()

    def describe_image(self, name: str) -> NbdExport:
        """Tell where clients find an image that is served."""
        uri = nbd_uri(self.store.settings.nbd_socket, name)
        return NbdExport(uri=uri, volume=name, read_only=True)

    def describe(self, name: str) -> NbdExport:
        """Tell where clients find a volume, and whether they can use it now."""
        use = self._use(name, self.store.volume(name))
        return NbdExport(
            uri=nbd_uri(self.store.settings.nbd_socket, name),
            volume=name,
            read_only=use is not _Use.WRITING,
            serving=use is not None,
        )

    def refresh(self, names: tuple[str, ...]) -> None:
        """Look which of these volumes serve now; disconnect the clients of those that ceased to."""
        for name in names:
            use = self._use(name, self.store.volumes.get(name))
            before = self._serving.get(name)
            if use is before:
                continue
            self._serving.pop(name, None)
            if use is not None:
                self._serving[name] = use
            if before is not None:
                task = asyncio.create_task(self._server.disconnect(name, _DRAIN_SECONDS))
                self._disconnecting.add(task)
                task.add_done_callback(self._disconnecting.discard)

    async def disconnected(self) -> None:
        """Wait until all clients that have to go are gone."""
        if self._disconnecting:
            await asyncio.wait(self._disconnecting)

    def clients(self, name: str) -> int:
        """Tell how many clients a volume has."""
        return self._server.clients(name)

    async def close(self) -> None:
        """Answer what is under way, disconnect everybody, listen no more."""
        await self._server.close(_FAREWELL_SECONDS)
        await self.disconnected()
        for image in self.images.values():
            await image.close()

    def _find(self, name: str) -> ExportedVolume | ExportedImage | None:
        if name in self.images:
            return self.images[name]
        volume = self.store.volumes.get(name)
        use = self._use(name, volume)
        if volume is None or use is None:
            return None
        self._serving[name] = use
        if use is _Use.LOOKING:
            return ExportedCopy(volume)
        return ExportedVolume(volume, read_only=use is _Use.READING)

    def _use(self, name: str, volume: HostedVolume | None) -> _Use | None:
        """How clients can use a volume now; None: not at all."""
        if volume is None or name not in self.names:
            return None
        read_only = name in self.read_only
        if volume.serves:
            return _Use.READING if read_only else _Use.WRITING
        return _Use.LOOKING if read_only and volume.shows else None

    def _names(self) -> list[str]:
        return [name for name in self.names if self._find(name) is not None]

    async def _keep(self, names: tuple[str, ...], read_only: tuple[str, ...] | None = None) -> None:
        chosen = self.read_only if read_only is None else read_only
        chosen = tuple(name for name in chosen if name in names)
        await self.store.keep(
            lambda record: attrs.evolve(record, exports=names, read_only_exports=chosen)
        )


def nbd_uri(socket: Path, name: str) -> str:
    """Return the address of an export, as NBD clients write it."""
    return f"nbd+unix:///{quote(name, safe='')}?socket={quote(str(socket))}"
