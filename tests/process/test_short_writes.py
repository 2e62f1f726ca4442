"""The system takes less than it was given, again and again: every write is completed all the same.

A system call may do so at any time; those of the sites here do it at every third write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.process.claims import Watch
from tests.process.load import Load
from tests.process.pair import ARRAYS, RESTLESS, open_pair

_SHORTENED: Final = Path(__file__).parent / "shortened"


async def test_no_byte_is_missing_where_writes_are_cut_short(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a crash of both sites, too: what was half written is not taken for whole."""
    monkeypatch.setenv("PYTHONPATH", str(_SHORTENED))
    for array in ARRAYS:
        (place / "sites" / array).mkdir(mode=0o700, parents=True)
        (place / "sites" / array / "short-writes").touch()
    async with open_pair(place, pace=RESTLESS) as pair, Watch(pair):
        async with Load(pair.ledger, pair.target, pair.places()) as load:
            for victims in (("A",), ("B",), ("A", "B")):
                await load.more(30)
                await pair.kill(victims)
            await load.more(10)
        await pair.check()
