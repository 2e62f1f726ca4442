"""Every target of the fuzzer by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz.harness import Target
from tests.fuzz.on_disk import LogTarget, SuperblockTarget, bitmap_target, checksums_target
from tests.fuzz.on_link import LinkTarget
from tests.fuzz.on_nbd import NbdTarget
from tests.fuzz.on_text import TextTarget
from tests.fuzz.on_words import ControlTarget, LabelTarget, MagicTarget, RpcTarget

TARGETS: Final[dict[str, Callable[[], Target]]] = {
    "nbd": NbdTarget,
    "link": LinkTarget,
    "log": LogTarget,
    "superblock": SuperblockTarget,
    "bitmap": bitmap_target,
    "checksums": checksums_target,
    "magic": MagicTarget,
    "control": ControlTarget,
    "rpc": RpcTarget,
    "label": LabelTarget,
    "text": TextTarget,
}
