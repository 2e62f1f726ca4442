"""The bytes of a volume, as Python reads and writes them.

Always true: bytes go straight to the site that holds the volume, never through the owner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from srshell.site.api import SiteApi

#: Finds the site that holds a volume.
Locate = Callable[[str], Awaitable[SiteApi]]


class FabricVolume:
    """One volume of a fabric.

    A write returns when it is durable, in both logs where the volume is replicated.  Offsets and
    lengths are bytes; a write that ends with SR9225 may or may not be there.
    """

    def __init__(self, name: str, locate: Locate) -> None:
        self.name = name
        self._locate = locate
        self._site: SiteApi | None = None

    async def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes: the newest that were acknowledged.

        Raises:
            SrError: SR9223, the range lies outside the volume; SR9301, its site is down.
        """
        return await (await self._find()).read(self.name, offset, length)

    async def write(self, offset: int, data: bytes) -> None:
        """Store bytes.

        Raises:
            SrError: SR9223, the range lies outside the volume; SR9224, it takes no writes now;
                SR9225, the outcome is unknown; SR9301, its site is down.
        """
        await (await self._find()).write(self.name, offset, data)

    async def flush(self) -> None:
        """Make durable what was answered before."""
        await (await self._find()).flush(self.name)

    async def trim(self, offset: int, length: int) -> None:
        """Give the space of a range back; it reads as zeros then."""
        await (await self._find()).trim(self.name, offset, length)

    async def _find(self) -> SiteApi:
        if self._site is None:
            self._site = await self._locate(self.name)
        return self._site

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<volume {self.name}>"
