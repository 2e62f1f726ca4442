"""Run by the system's Python with libnbd: requests that no proper client sends, and their answers.

Usage: nbd_script.py SCRIPT ADDRESS, or for ``piped`` a command.  It fails with what was wrong.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

#: Only the distribution ships it, for its own Python.
nbd: Any = importlib.import_module("nbd")


def connect(uri: str, *, structured: bool = True, contexts: Sequence[str] = ()) -> Any:  # noqa: ANN401
    """Return a handle that sends what the library would refuse."""
    h = nbd.NBD()
    h.set_strict_mode(0)
    h.set_request_structured_replies(structured)
    for context in contexts:
        h.add_meta_context(context)
    h.connect_uri(uri)
    return h


def refused(call: Callable[[], object], name: str) -> None:
    """The call fails with this error."""
    try:
        call()
    except nbd.Error as error:
        found = error.errno
    else:
        found = "no error"
    assert found == name, (found, name)


def illegal(uri: str) -> None:
    """After each refusal the connection goes on as if nothing had happened."""
    for structured in (True, False):
        h = connect(uri, structured=structured)
        h.pwrite(b"x" * 4096, 0)
        for call, name in wrong_calls(h, h.get_size()):
            refused(call, name)
            assert h.pread(4096, 0) == b"x" * 4096
        if not structured:
            flag = nbd.CMD_FLAG_DF
            refused(functools.partial(h.pread, 512, 0, flag), "EINVAL")
        h.shutdown()


def wrong_calls(h: Any, size: int) -> list[tuple[Callable[[], object], str]]:  # noqa: ANN401
    """Beyond the end, of no length, or with flags that do not belong; and the error of each."""
    return [
        (lambda: h.pread(512, size), "EINVAL"),
        (lambda: h.pread(1024, size - 512), "EINVAL"),
        (lambda: h.pwrite(b"y" * 1024, size - 512), "ENOSPC"),
        (lambda: h.zero(1024, size - 512), "ENOSPC"),
        (lambda: h.trim(1024, size - 512), "EINVAL"),
        (lambda: h.cache(1024, size - 512), "EINVAL"),
        (lambda: h.pread(0, 0), "EINVAL"),
        (lambda: h.pwrite(b"", 0), "EINVAL"),
        (lambda: h.trim(0, 0), "EINVAL"),
        (lambda: h.pwrite(b"y" * 512, 0, 1 << 12), "EINVAL"),
        (lambda: h.trim(512, 0, nbd.CMD_FLAG_FAST_ZERO), "EINVAL"),
        (lambda: h.flush(nbd.CMD_FLAG_DF), "EINVAL"),
        (lambda: h.block_status(4096, 0, lambda *_: 0), "EINVAL"),
    ]


def described(h: Any, count: int, offset: int, flag: int = 0) -> list[list[int]]:  # noqa: ANN401
    """What a server says of a range."""
    found: list[list[int]] = []

    def take(_context: str, _offset: int, entries: list[int], _error: object) -> int:
        found.append(list(entries))
        return 0

    h.block_status(count, offset, take, flag)
    return found


def flags(uri: str) -> None:
    """Every flag where it belongs; zeros with and without holes, fast or not at all."""
    h = connect(uri, contexts=(nbd.CONTEXT_BASE_ALLOCATION,))
    h.pwrite(b"a" * 65536, 0, nbd.CMD_FLAG_FUA)
    h.zero(16384, 0, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
    h.zero(16384, 16384, nbd.CMD_FLAG_FAST_ZERO)
    h.trim(16384, 32768, nbd.CMD_FLAG_FUA)
    assert h.pread(65536, 0, nbd.CMD_FLAG_DF) == bytes(49152) + b"a" * 16384
    h.cache(65536, 0)
    assert described(h, 65536, 0) == [[16384, 0, 32768, 3, 16384, 0]]
    assert described(h, 65536 - 20000, 20000, nbd.CMD_FLAG_REQ_ONE) == [[29152, 3]]
    h.flush()
    h.shutdown()


def together(uri: str) -> None:
    """A flush on one connection covers what was written on another (multi-conn)."""
    first, second = connect(uri), connect(uri)
    assert first.can_multi_conn()
    first.pwrite(b"1" * 4096, 0)
    second.flush()
    assert second.pread(4096, 0) == b"1" * 4096
    first.shutdown()
    second.shutdown()


def reading(uri: str) -> None:
    """An export that takes no writes."""
    h = connect(uri)
    assert h.is_read_only()
    for call in (
        lambda: h.pwrite(b"x" * 512, 0),
        lambda: h.zero(512, 0),
        lambda: h.trim(512, 0),
    ):
        refused(call, "EPERM")
    h.flush()
    h.shutdown()


def piped(*command: str) -> None:
    """A server on standard input and output."""
    h = nbd.NBD()
    h.connect_command(list(command))
    h.pwrite(b"piped" * 1000, 70000)
    h.shutdown()


def main(script: str, *arguments: str) -> None:
    """Run one of them."""
    scripts: dict[str, Callable[..., None]] = {
        "illegal": illegal, "flags": flags, "together": together, "reading": reading,
        "piped": piped,
    }  # fmt: skip
    scripts[script](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
