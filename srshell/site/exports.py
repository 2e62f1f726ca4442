"""The volumes that a site serves to NBD clients.

Always true:

(1) Clients reach a volume only while it serves: in no replica, or on the side that leads.
(2) When a volume ceases to serve, what its clients have under way is answered, then they are
    disconnected; they may come back as soon as it serves again.
(3) What is exported is remembered over a restart.
(4) An image of a branch is served read-only, whatever its replica does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs

from srshell.export.nbd_server import NbdServer
from srshell.model.branch import BranchImage
from srshell.model.errors import SrError
from srshell.model.report import NbdExport
from srshell.site.devices import ExportedImage, ExportedVolume
from srshell.site.journal import Journal
from srshell.site.store import Store
from srshell.storage import Disk, StorageError

#: How long calls of a client may take that is being disconnected, and when the site ends.
_DRAIN_SECONDS: Final = 10.0
_FAREWELL_SECONDS: Final = 3.0


@attrs.define(eq=False)
class Exports:
    """One NBD socket; the name of an export is the name of its volume."""

    store: Store
    journal: Journal
    _server: NbdServer = attrs.field(init=False)
    #: Volumes that clients could use when they were looked at last.
    _serving: set[str] = attrs.field(factory=set, init=False)
    _disconnecting: set[asyncio.Task[int]] = attrs.field(factory=set, init=False)
    #: Images of branches that are open for clients.
    images: dict[str, ExportedImage] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._server = NbdServer(self._find, self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """The exported volumes."""
        return self.store.record.exports

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

    async def add(self, name: str) -> NbdExport:
        """Serve a volume.

        Raises:
            SrError: SR0105, there is none of that name; SR3008, it is a log.
        """
        volume = self.store.volume(name)
        if volume.facts.log:
            raise SrError.make("SR3008", facts="logs are not exported", log=name, use="it is a log")
        if name not in self.names:
            await self._keep((*self.names, name))
            self.journal.add("export", f"{name} is exported")
        self.refresh((name,))
        return self.describe(name)

    async def remove(self, name: str) -> None:
        """Serve a volume no more; its clients are disconnected once they are answered."""
        self.store.volume(name)
        if name in self.names:
            await self._keep(tuple(other for other in self.names if other != name))
            self.journal.add("export", f"{name} is no longer exported")
        self._serving.discard(name)
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
        serves = self.store.volume(name).serves
        return NbdExport(
            uri=nbd_uri(self.store.settings.nbd_socket, name),
            volume=name,
            read_only=not serves,
            serving=serves,
        )

    def refresh(self, names: tuple[str, ...]) -> None:
        """Look which of these volumes serve now; disconnect the clients of those that ceased to."""
        for name in names:
            volume = self.store.volumes.get(name)
            serves = name in self.names and volume is not None and volume.serves
            if serves:
                self._serving.add(name)
            elif name in self._serving:
                self._serving.discard(name)
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
        if name not in self.names or volume is None or not volume.serves:
            return None
        self._serving.add(name)
        return ExportedVolume(volume, read_only=False)

    def _names(self) -> list[str]:
        return [name for name in self.names if self._find(name) is not None]

    async def _keep(self, names: tuple[str, ...]) -> None:
        await self.store.keep(lambda record: attrs.evolve(record, exports=names))


def nbd_uri(socket: Path, name: str) -> str:
    """Return the address of an export, as NBD clients write it."""
    return f"nbd+unix:///{quote(name, safe='')}?socket={quote(str(socket))}"
