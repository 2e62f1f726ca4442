"""A gateway while nobody leads: its clients are sent away, and come again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from srshell.export.gateway import Gateway, Target
from srshell.model.errors import SrError


async def test_a_client_that_comes_amid_a_failover_is_sent_away_in_good_order(
    tmp_path: Path,
) -> None:
    """A refusal of the owner is no defect: no traceback where the gateway's log is read."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    async def nobody() -> Target:
        raise SrError.make("SR1105", array="B")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        serving = asyncio.create_task(Gateway(nobody).serve([listener]))
        for _ in range(2):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            assert await reader.read() == b""
            writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert unhandled == []
