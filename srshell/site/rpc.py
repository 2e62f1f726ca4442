"""Bytes of the talk between the fabric's owner and a site.  No I/O happens here.

    | length 4, big endian | MessagePack of one tagged structure |

The site speaks first: `Welcome`.  Then the owner sends `Call`s, and each is answered once, in any
order, by an `Answer` or a `Failure` with the same id.

Always true:

(1) A length is checked before memory is taken: at most `MESSAGE_BYTES_MAX`.
(2) Arguments and results are decoded as the types that `SiteApi` declares, and nothing else.
(3) The table of verbs is `SiteApi` itself: a verb that is added there can be called here.
"""

from __future__ import annotations

import functools
import inspect
import struct
import typing
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import attrs
import msgspec
from msgspec import Raw

from srshell.site.api import SiteApi

__all__ = [
    "DATA_BYTES_MAX",
    "MESSAGE_BYTES_MAX",
    "NOTHING",
    "PING",
    "PROTOCOL",
    "VERB_NAMES",
    "Answer",
    "Call",
    "Failure",
    "Framer",
    "Message",
    "Raw",
    "RpcError",
    "Verb",
    "Welcome",
    "encode",
    "find_verb",
    "pack_result",
]

PROTOCOL: Final = 1

#: Most that one `read` or `write` carries, in bytes.
DATA_BYTES_MAX: Final = 32 * 1024 * 1024
MESSAGE_BYTES_MAX: Final = DATA_BYTES_MAX + 1024 * 1024

#: A verb of the connection itself: answered at once, with nothing.
PING: Final = "ping"

#: Arguments of a verb that takes none: an empty map.
NOTHING: Final = Raw(b"\x80")

_LENGTH = struct.Struct(">I")


class RpcError(Exception):
    """What arrived is no message of this protocol; the connection cannot go on."""


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """First message of a site: who it is."""

    protocol: int
    array: str
    pid: int
    version: str


class Call(msgspec.Struct, frozen=True, tag="call"):
    """Carry out a verb."""

    id: int
    verb: str
    arguments: Raw = NOTHING


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The verb was carried out."""

    id: int
    result: Raw


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """The verb was refused or failed; ``error`` holds the fields of an `SrError`."""

    id: int
    error: dict[str, str | int | None]


Message: TypeAlias = Welcome | Call | Answer | Failure

_encode = msgspec.msgpack.Encoder().encode
_message_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


@attrs.frozen
class Verb:
    """One method of `SiteApi`, as it crosses the wire."""

    name: str
    names: tuple[str, ...]  # of the arguments, in their order
    arguments: type[msgspec.Struct]
    _decode_arguments: Callable[[bytes], msgspec.Struct]
    _decode_result: Callable[[bytes], Any]

    def encode_arguments(self, *values: object, **named: object) -> Raw:
        """Pack the arguments of a call."""
        fields = dict(zip(self.names, values, strict=False)) | named
        return Raw(_encode(self.arguments(**fields)))

    def decode_arguments(self, raw: Raw) -> dict[str, Any]:
        """Unpack the arguments of a call.

        Raises:
            RpcError: they are not what the verb takes.
        """
        try:
            values = self._decode_arguments(raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise RpcError(f"arguments of {self.name}: {error}") from error
        return {name: getattr(values, name) for name in self.names}

    def decode_result(self, raw: Raw) -> Any:  # noqa: ANN401 - the verb's own type
        """Unpack what the verb returned.

        Raises:
            RpcError: it is not what the verb returns.
        """
        try:
            return self._decode_result(raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise RpcError(f"result of {self.name}: {error}") from error


def _read_verb(name: str, method: Callable[..., Coroutine[Any, Any, Any]]) -> Verb:
    hints = typing.get_type_hints(method)
    result = hints.pop("return")
    parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    fields = [
        (p.name, hints[p.name])
        if p.default is inspect.Parameter.empty
        else (p.name, hints[p.name], p.default)
        for p in parameters
    ]
    arguments = msgspec.defstruct(
        f"{name}_arguments", fields, kw_only=True, frozen=True, forbid_unknown_fields=True
    )
    return Verb(
        name=name,
        names=tuple(parameter.name for parameter in parameters),
        arguments=arguments,
        decode_arguments=msgspec.msgpack.Decoder(arguments).decode,
        decode_result=msgspec.msgpack.Decoder(result).decode,
    )


#: Every verb but `close`, which ends the connection and not the site.
VERB_NAMES: Final[frozenset[str]] = frozenset(
    name
    for name, method in vars(SiteApi).items()
    if inspect.iscoroutinefunction(method) and name != "close"
)


@functools.cache
def find_verb(name: str) -> Verb:
    """Return a verb; its types are looked at when it is used first.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in VERB_NAMES:
        raise KeyError(name)
    return _read_verb(name, getattr(SiteApi, name))


def pack_result(value: object) -> Raw:
    """Pack what a verb returned."""
    return Raw(_encode(value))


def encode(message: Message) -> bytes:
    """Return a message with its length.

    Raises:
        RpcError: it is too long.
    """
    body = _encode(message)
    if len(body) > MESSAGE_BYTES_MAX:
        raise RpcError(f"a message of {len(body)} bytes; possible are {MESSAGE_BYTES_MAX}")
    return _LENGTH.pack(len(body)) + body


@attrs.define
class Framer:
    """Cuts a stream of bytes into messages."""

    _waiting: bytearray = attrs.field(factory=bytearray)

    def feed(self, data: bytes) -> list[Message]:
        """Take what arrived; return the messages that are complete now.

        Raises:
            RpcError: it is no message; nothing that follows can be understood.
        """
        self._waiting += data
        messages: list[Message] = []
        begin = 0
        while len(self._waiting) - begin >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._waiting, begin)
            if length > MESSAGE_BYTES_MAX:
                raise RpcError(f"a message of {length} bytes; possible are {MESSAGE_BYTES_MAX}")
            end = begin + _LENGTH.size + length
            if len(self._waiting) < end:
                break
            messages.append(_decode(bytes(self._waiting[begin + _LENGTH.size : end])))
            begin = end
        del self._waiting[:begin]
        return messages


def _decode(body: bytes) -> Message:
    try:
        return _message_decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise RpcError(str(error)) from error
