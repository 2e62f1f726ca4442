"""Fixtures of this folder; `tests.unit.fabric.setting` says what they are."""

from tests.unit.fabric.setting import memory_path, opener, world

__all__ = ["memory_path", "opener", "world"]
