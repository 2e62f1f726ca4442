"""After every LSN the destination is what some crash of the source could have left: P3.

An ext4 file system is mounted on the source over NBD and written; from the destination's log its
volumes are rebuilt after many LSNs, across two volumes of one group, and checked.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from srshell.cli.prefixes import check_prefixes, ext4_checkers
from srshell.fabric.launch import child_environment
from tests import needs
from tests.process.pair import PARTNERSHIP
from tests.process.write_pairs import Group, end_checker, open_group, pairs_checker, write_pairs

_FILES = 15
_PREFIXES = 25
_SEED = 1


async def every_prefix_is_consistent(folder: Path) -> None:
    """On the destination; a prefix in which one volume is ahead of the other is found out."""
    async with open_group(folder) as group:
        base = await group.copy("B", folder / "base")
        first_lsn = (await group.site("B").replica(PARTNERSHIP)).last_lsn
        await write_pairs(group, folder, _SEED, _FILES)
        last_lsn = (await group.site("B").replica(PARTNERSHIP)).last_lsn
        images = {"fsB": base["fs"], "countB": base["count"]}
        step = (last_lsn - first_lsn) // _PREFIXES
        pairs = pairs_checker(folder, _SEED, "B")
        checkers = [end_checker(group, "B", last_lsn), *ext4_checkers(["fsB"]), pairs]
        found = await check_prefixes(
            group.log_path("B"), images, checkers, since=base["log"], step=step
        )
        assert found.problems == ()
        assert (found.first_lsn, found.last_lsn) == (first_lsn, last_lsn)
        assert found.clean == found.prefixes > _PREFIXES
        await as_a_person_asks(group, base, step)
        ahead = folder / "ahead"
        shutil.copy(group.files("B")["count"], ahead)

        async def one_is_ahead(lsn: int, copies: Mapping[str, Path]) -> str:
            return await pairs(lsn, {**copies, "countB": ahead})

        wrong = await check_prefixes(
            group.log_path("B"),
            images,
            [*ext4_checkers(["fsB"]), one_is_ahead],
            since=base["log"],
            step=step * 5,
        )
        assert wrong.problems[0].lsn == first_lsn
        assert wrong.problems[0].text.endswith("file 1 is not there whole")


async def as_a_person_asks(group: Group, base: dict[str, Path], step: int) -> None:
    """The command says what it found, and ends with 1 when a checker was not content."""
    words = ["prefixes", str(group.log_path("B")), "--since", str(base["log"])]
    words += ["--base", f"fsB={base['fs']}", f"countB={base['count']}", "--every", str(step)]

    async def srshell(*more: str) -> tuple[int, dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "srshell", *words, *more, "--json"),
            stdout=asyncio.subprocess.PIPE,
            env=child_environment(),
        )
        output, _ = await process.communicate()
        return process.returncode or 0, json.loads(output)

    code, report = await srshell("--limit", "4", "--check", "debugfs -R stats {fsB}")
    assert (code, report["prefixes"], report["clean"]) == (0, 4, 4)
    # Counters are no file system.
    code, report = await srshell("--limit", "2")
    assert (code, report["prefixes"], report["clean"]) == (1, 2, 0)
    assert "e2fsck ended with 8" in report["problems"][0]["text"]


@needs.loop_devices()
@needs.fuse()
@needs.tools("nbdfuse", "nbdcopy", "mke2fs", "e2fsck", "debugfs", "mount", "losetup")
def test_every_prefix_of_the_destination_is_consistent(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Across two volumes of one group, with the kernel's own writes."""
    asyncio.run(every_prefix_is_consistent(tmp_path_factory.mktemp("p")))
