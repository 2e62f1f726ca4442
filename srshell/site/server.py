"""Serve a site to the fabric's owner over a Unix socket.

Always true:

(1) Only this user (and root) is answered; the kernel names the peer, and the socket is 0600.
(2) A connection that has not greeted, or has greeted with a term that is lower than another's by
    now, may look, read and write volumes, and change nothing else.
(3) A call that has begun runs to its end, also when its caller is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

import srshell
from srshell.export.unix_socket import is_own_user, peer_user
from srshell.model.errors import SrError
from srshell.site import rpc
from srshell.site.api import SiteApi
from srshell.site.connection import hang_up
from srshell.site.errors import to_sr_error
from srshell.storage import StorageError
from srshell.transport.closing import close_server

LOG: Final = logging.getLogger(__name__)

#: Verbs for which nobody needs to be the owner: looking, and using a volume as a machine does.
FREE: Final = frozenset(
    {"describe", "replica", "greet", "events", "inspect", "read", "write", "flush", "trim"}
)

_CALLS_MAX: Final = 64
#: Connections above this number are closed at once.
_OWNERS_MAX: Final = 256
_READ_BYTES: Final = 256 * 1024
_BACKLOG: Final = 64


class ServedSite(SiteApi, Protocol):
    """What a server needs of a site."""

    @property
    def array(self) -> str:
        """Return the name of the array."""

    @property
    def owner_term(self) -> int:
        """Return the highest term that ever greeted."""


class SiteServer:
    """Listens for owners and answers their calls."""

    def __init__(self, site: ServedSite) -> None:
        """Serve ``site``; `start` begins."""
        self._site = site
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._owners: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self, path: Path) -> None:
        """Listen at ``path``, whose directory is ours alone.

        The caller holds the lock of the site, so a socket that lies there is a dead one.
        """
        listener = _listen(path)
        self._path = path
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listener, backlog=_BACKLOG
        )

    def listen_no_more(self) -> None:
        """Take no new connection; the ones there are go on."""
        server, self._server = self._server, None
        if server is not None:
            close_server(server)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    async def close(self) -> None:
        """Listen no more, let the calls that have begun end, then hang up."""
        self.listen_no_more()
        for owner in self._owners:
            owner.cancel()
        while waiting := self._owners | self._calls:
            await asyncio.wait(waiting)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._owners) >= _OWNERS_MAX:
            writer.close()
            return
        owner = asyncio.create_task(self._serve(reader, writer))
        self._owners.add(owner)
        owner.add_done_callback(self._owners.discard)
        # One that is cancelled before its first step never hangs up by itself.
        owner.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = _Caller(self._site, writer)
        calls: set[asyncio.Task[None]] = set()
        try:
            if not caller.welcome():
                return
            framer = rpc.Framer()
            while data := await reader.read(_READ_BYTES):
                for message in _only_calls(framer.feed(data)):
                    while len(calls) >= _CALLS_MAX:
                        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                    call = asyncio.create_task(caller.carry_out(message))
                    for tasks in (calls, self._calls):
                        tasks.add(call)
                        call.add_done_callback(tasks.discard)
        except (OSError, rpc.RpcError) as error:
            LOG.warning("connection ended: %s", error)
        except asyncio.CancelledError:
            # The server closes: what has begun is answered first.
            LOG.info("connection ends with the site")
        finally:
            if calls:
                await asyncio.wait(calls)
            await hang_up(writer)


@attrs.define(eq=False)
class _Caller:
    """One connection: who greeted on it, and how it is answered."""

    site: ServedSite
    writer: asyncio.StreamWriter
    term: int | None = None

    def welcome(self) -> bool:
        """Say who we are, or refuse a stranger."""
        connection = self.writer.get_extra_info("socket")
        if not is_own_user(connection):
            facts = f"user {peer_user(connection)} asked, {os.geteuid()} owns the site"
            error = SrError.make("SR9008", facts=facts)
            self.writer.write(rpc.encode(rpc.Failure(0, error.to_json())))
            return False
        first = rpc.Welcome(rpc.PROTOCOL, self.site.array, os.getpid(), srshell.__version__)
        self.writer.write(rpc.encode(first))
        return True

    async def carry_out(self, call: rpc.Call) -> None:
        """Answer one call; whatever happens is an answer."""
        try:
            message = rpc.encode(rpc.Answer(call.id, rpc.pack_result(await self._run(call))))
        except SrError as error:
            message = rpc.encode(rpc.Failure(call.id, error.to_json()))
        except rpc.RpcError as error:
            message = rpc.encode(rpc.Failure(call.id, _other_version(str(error)).to_json()))
        except StorageError as error:
            message = rpc.encode(rpc.Failure(call.id, to_sr_error(error).to_json()))
        except Exception as error:
            LOG.exception("%s", call.verb)
            problem = f"{call.verb}: {type(error).__name__}: {error}"
            defect = SrError.make("SR9999", problem=problem)
            message = rpc.encode(rpc.Failure(call.id, defect.to_json()))
        with contextlib.suppress(OSError):
            self.writer.write(message)
            await self.writer.drain()

    async def _run(self, call: rpc.Call) -> Any:  # noqa: ANN401 - each verb has its own type
        if call.verb == rpc.PING:
            return None
        if call.verb not in rpc.VERB_NAMES:
            raise _other_version(f"this site does not know the verb {call.verb!a}")
        verb = rpc.find_verb(call.verb)
        arguments = verb.decode_arguments(call.arguments)
        self._check_term(call.verb)
        result = await getattr(self.site, verb.name)(**arguments)
        if call.verb == "greet":
            self.term = arguments["owner_term"]
        return result

    def _check_term(self, verb: str) -> None:
        newest = self.site.owner_term
        if verb in FREE or (self.term is not None and self.term >= newest):
            return
        term = "it has not greeted" if self.term is None else f"its term is {self.term}"
        facts = f"{term}; the newest owner has term {newest}"
        raise SrError.make("SR9007", facts=facts, array=self.site.array)


def _other_version(facts: str) -> SrError:
    return SrError.make("SR9002", facts=facts)


def _only_calls(messages: list[rpc.Message]) -> list[rpc.Call]:
    calls = [message for message in messages if isinstance(message, rpc.Call)]
    if len(calls) != len(messages):
        raise rpc.RpcError("an owner sent something else than a call")
    return calls


def _listen(path: Path) -> socket.socket:
    """Bind a socket that this user alone may connect to."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener
