"""Fixtures of this folder; `tests.unit.fabric.setting` says what they are."""

from tests.unit.fabric.setting import fabric, memory_path, opener, protected, world

__all__ = ["fabric", "memory_path", "opener", "protected", "world"]
