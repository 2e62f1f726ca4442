"""Bytes: log frames, superblocks, bitmap pages and link messages, written and read here alone."""
