"""The control API as a client speaks it: HTTP over the owner's Unix socket, without waiting loops.

Always true:

(1) A request is one exchange on one connection; a connection is used by one thread at a time.
(2) An answer that is an error object becomes that `SrError`.
(3) Paths longer than the system takes are reached through the directory that holds the socket.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from srshell.model.errors import SrError

#: Version of the control protocol: the first part of every path.
PROTOCOL = "v1"
#: Environment variable with the token of a client that was given a role by one.
TOKEN_VARIABLE = "SRSHELL_TOKEN"  # noqa: S105 - its name, not its value
_SOCKET_PATH_BYTES_MAX = 107
#: A limit of no time at all would be none.
_CONNECT_SECONDS_MIN = 0.001


class OwnerGone(Exception):
    """Nobody answers at the owner's socket; ``unheard``: the request never reached anybody."""

    def __init__(self, reason: str, *, unheard: bool = False) -> None:
        super().__init__(reason)
        self.unheard = unheard


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path, timeout_seconds: float | None) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket; an owner that many call at once is waited for, as at a counter."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if self.timeout is not None:
            # Python's own limit would make the socket refuse at once where the backlog is full.
            seconds, rest = divmod(max(self.timeout, _CONNECT_SECONDS_MIN), 1)
            limit = struct.pack("ll", int(seconds), int(rest * 1e6))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        try:
            self._reach(self.sock)
        except BlockingIOError as error:
            raise TimeoutError("so many wait for the owner that it took nobody else") from error
        self.sock.settimeout(self.timeout)

    def _reach(self, stream: socket.socket) -> None:
        if len(os.fsencode(self._path)) <= _SOCKET_PATH_BYTES_MAX:
            stream.connect(str(self._path))
            return
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            stream.connect(f"/proc/self/fd/{directory}/{self._path.name}")
        finally:
            os.close(directory)


class ControlHttp:
    """Requests to one owner.  Not for several threads at once."""

    def __init__(self, path: Path, timeout_seconds: float | None = 30.0) -> None:
        self._connection = UnixConnection(path, timeout_seconds)

    def get(self, path: str, timeout_seconds: float | None = 30.0) -> bytes:
        """The JSON at ``path``, which begins after the version.

        Raises:
            SrError: the owner's own; OwnerGone: nobody answers.
        """
        return self._exchange("GET", path, None, timeout_seconds)

    def post(self, path: str, body: dict[str, Any], timeout_seconds: float | None = 30.0) -> bytes:
        """What the owner answers to ``body``; raises as `get` does, and SR0005 for bytes in it."""
        try:
            data = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise _unspeakable(body) from error
        return self._exchange("POST", path, data, timeout_seconds)

    def events(self, after: int) -> Iterator[bytes]:
        """Events as they happen, each as JSON; ends when the owner does."""
        yield from self._stream(f"events?follow=1&after={after}", None)

    def frames(self, period_seconds: float, silence_seconds: float) -> Iterator[bytes]:
        """What a screen watches, each frame as JSON; ends when the owner does.

        Args:
            period_seconds: from one frame to the next.
            silence_seconds: an owner that says nothing for so long is taken for gone.
        """
        yield from self._stream(f"watch?period={period_seconds:g}", silence_seconds)

    def _stream(self, path: str, timeout_seconds: float | None) -> Iterator[bytes]:
        """What comes at ``path`` until the owner ends."""
        response = self._request("GET", path, None, timeout_seconds)
        # The answer owns the socket: whoever stops listening early hangs up by closing it.
        with response, suppress(OSError, http.client.HTTPException):
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                raise _read_error(response.read(), response.status)
            for line in response:
                if line.startswith(b"data:"):
                    yield line[5:].strip()

    def abort(self) -> None:
        """Hang up from another thread, waking the one that waits for an answer."""
        stream = self._connection.sock
        if stream is not None:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _exchange(
        self, method: str, path: str, body: bytes | None, timeout_seconds: float | None
    ) -> bytes:
        response = self._request(method, path, body, timeout_seconds)
        try:
            with response:
                data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise OwnerGone(str(error) or type(error).__name__) from error
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise _read_error(data, response.status)
        return data

    def _request(
        self, method: str, path: str, body: bytes | None, timeout_seconds: float | None
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token := os.environ.get(TOKEN_VARIABLE):
            headers["Authorization"] = f"Bearer {token}"
        self._connection.timeout = timeout_seconds
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_seconds)
        try:
            self._connection.request(method, f"/{PROTOCOL}/{path}", body, headers)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            # A pipe that is broken while writing has not taken the request whole, and half of one
            # is carried out by nobody: so ends a connection that an earlier owner left behind.
            unheard = isinstance(
                error, ConnectionRefusedError | FileNotFoundError | BrokenPipeError
            )
            raise OwnerGone(str(error) or type(error).__name__, unheard=unheard) from error


def _unspeakable(body: dict[str, Any]) -> SrError:
    """The error for an argument that holds bytes which are no text, as names of files may."""
    for name, value in body.items():
        for text in map(str, value if isinstance(value, tuple | list) else (value,)):
            if any("\ud800" <= char <= "\udfff" for char in text):
                facts = f"it is not UTF-8: {text[:80]!r}"
                noun = "path" if name == "where" else name.replace("_", " ")
                return SrError.make("SR0005", facts=facts, text=text, noun=noun)
    return SrError.make("SR0005", facts="it is not UTF-8", text="?", noun="text")


def _read_error(data: bytes, status: int) -> SrError:
    """The error object in an answer."""
    try:
        content = json.loads(data)
    except ValueError:
        content = None
    if isinstance(content, dict) and "code" in content:
        return SrError.from_json(content)
    return SrError.make("SR9999", problem=f"the owner answered {status}", facts=repr(data[:200]))
