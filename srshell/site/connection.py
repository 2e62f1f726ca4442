"""The owner's end of one connection to a site.

Always true:

(1) Every call ends: with its result, an `SrError`, or `Lost`.
(2) A call that takes long is fine as long as the site answers pings in between; a site that does
    not is `Silent`, and what became of its calls is unknown.
(3) Nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any, Final

import attrs

from srshell.model.errors import SrError
from srshell.site import rpc

_READ_BYTES: Final = 256 * 1024

#: Id of pings that nobody waits for: any word of the site will do.
_WATCHDOG_ID: Final = 0


class Lost(Exception):
    """The connection ended before the answer came."""


class Silent(Exception):
    """The site lives, but has not said anything for too long."""


@attrs.define(eq=False)
class Connection:
    """A connection that was welcomed."""

    welcome: rpc.Welcome
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _framer: rpc.Framer
    _silence_seconds: float
    _ids: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1), init=False)
    _waiting: dict[int, asyncio.Future[rpc.Answer]] = attrs.field(factory=dict, init=False)
    #: When the site said something last, or was asked something after a rest (loop's time).
    _heard: float = attrs.field(default=0.0, init=False)
    _pinged: bool = attrs.field(default=False, init=False)
    _watchdog: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    _receiving: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _end: str = attrs.field(default="", init=False)

    @classmethod
    async def open(cls, path: Path, silence_seconds: float) -> Connection:
        """Connect and wait for the welcome.

        Raises:
            Lost: nobody listens there, or another kind of program.
            Silent: somebody listens, but says nothing.
            SrError: the site refuses this user.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(str(path))
        except BlockingIOError as error:
            # So many wait to be accepted that the system takes no more.
            raise Silent(f"{path}: {error.strerror}") from error
        except OSError as error:
            raise Lost(f"{path}: {error.strerror or error}") from error
        framer = rpc.Framer()
        try:
            async with asyncio.timeout(silence_seconds):
                welcome = await _read_welcome(reader, framer)
        except TimeoutError:
            await hang_up(writer)
            raise Silent(f"no welcome within {silence_seconds:g} s") from None
        except BaseException:
            await hang_up(writer)
            raise
        connection = cls(welcome, reader, writer, framer, silence_seconds)
        connection._receiving = asyncio.create_task(connection._receive())
        return connection

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._end)

    async def call(self, verb: rpc.Verb, *values: object, **named: object) -> Any:  # noqa: ANN401
        """Have the site carry out a verb; return what it returns.

        Raises:
            SrError: what the site raised.
            Lost: the connection ended; whether the verb was carried out is unknown.
            Silent: the site does not answer; the verb may still be carried out.
        """
        answer = await self._ask(verb.name, verb.encode_arguments(*values, **named))
        return verb.decode_result(answer.result)

    async def ping(self) -> None:
        """Return when the site has answered; raises `Lost` or `Silent`."""
        try:
            async with asyncio.timeout(self._silence_seconds):
                await self._ask(rpc.PING, rpc.NOTHING)
        except TimeoutError:
            raise self._silent() from None

    async def close(self) -> None:
        """Hang up; what waits for an answer is `Lost`."""
        self._stop("closed by us")
        if self._receiving is not None:
            await self._receiving
        await hang_up(self._writer)

    async def _ask(self, verb: str, arguments: rpc.Raw) -> rpc.Answer:
        if self._end:
            raise Lost(self._end)
        number = next(self._ids)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[rpc.Answer] = loop.create_future()
        if not self._waiting:
            self._heard = loop.time()
        self._waiting[number] = future
        if self._watchdog is None:
            self._watchdog = loop.call_later(self._silence_seconds, self._check_silence)
        try:
            self._writer.write(rpc.encode(rpc.Call(number, verb, arguments)))
            return await future
        finally:
            del self._waiting[number]

    def _check_silence(self) -> None:
        """Ping a site that has said nothing for a while; give it up if it stays silent."""
        self._watchdog = None
        if not self._waiting or self._end:
            return
        loop = asyncio.get_running_loop()
        left = self._heard + self._silence_seconds - loop.time()
        if left <= 0 and self._pinged:
            self._fail_waiting(self._silent())
            return
        if left <= 0:
            self._pinged = True
            self._heard = loop.time()
            self._writer.write(rpc.encode(rpc.Call(_WATCHDOG_ID, rpc.PING)))
            left = self._silence_seconds
        self._watchdog = loop.call_later(left, self._check_silence)

    def _silent(self) -> Silent:
        return Silent(f"no answer within {self._silence_seconds:g} s")

    async def _receive(self) -> None:
        reason = "the site closed the connection"
        try:
            while data := await self._reader.read(_READ_BYTES):
                self._heard = asyncio.get_running_loop().time()
                self._pinged = False
                for message in self._framer.feed(data):
                    self._take(message)
        except (OSError, rpc.RpcError) as error:
            reason = str(error)
        self._stop(reason)

    def _take(self, message: rpc.Message) -> None:
        if not isinstance(message, rpc.Answer | rpc.Failure):
            raise rpc.RpcError(f"a {type(message).__name__} from a site")
        future = self._waiting.get(message.id)
        if future is None or future.done():
            return
        if isinstance(message, rpc.Answer):
            future.set_result(message)
        else:
            future.set_exception(SrError.from_json(message.error))

    def _stop(self, reason: str) -> None:
        if self._end:
            return
        self._end = reason
        self._writer.close()
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._fail_waiting(Lost(reason))

    def _fail_waiting(self, error: Lost | Silent) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection and wait until the system has let go of it."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _read_welcome(reader: asyncio.StreamReader, framer: rpc.Framer) -> rpc.Welcome:
    """Read the first message of a site; see `Connection.open` for what is raised."""
    try:
        while data := await reader.read(_READ_BYTES):
            match framer.feed(data):
                case []:
                    continue
                case [rpc.Welcome() as welcome]:
                    return welcome
                case [rpc.Failure() as failure]:
                    raise SrError.from_json(failure.error)
                case _:
                    break
    except (OSError, rpc.RpcError) as error:
        raise Lost(str(error)) from error
    raise Lost("no site listens there")
