"""The handshake with one client, from the greeting to a chosen export.  No I/O happens here.

    CLIENT_FLAGS --flags--> OPTIONS --EXPORT_NAME, GO--> AGREED
         |                     |
         |                     +--ABORT--> ENDED
         +--unknown flags, broken magic, EXPORT_NAME that cannot be served--> ENDED

Always true:

(1) An option is answered before the next one is looked at, in the order of arrival.
(2) An option that is unknown, too long or malformed is answered with an error, and the handshake
    goes on, because its length is known.  Only where the protocol has no error answer does it end.
(3) A metadata context belongs to the export that it was asked for; choosing another forgets it.
(4) Once a connection is for one export only, no option tells that there are others.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import attrs

from srshell.export import nbd_options as options
from srshell.export.nbd_buffer import ReceiveBuffer
from srshell.export.nbd_numbers import (
    OPTION_MAGIC,
    REQUEST_BYTES_MAX,
    HandshakeFlag,
    Option,
    OptionReply,
)
from srshell.export.nbd_options import Export, OptionError

#: Longer options are stepped over and refused; none that a client needs comes near.
OPTION_BYTES_MAX = 4096
#: Longer ones are not worth stepping over.
OPTION_BYTES_SKIPPED_MAX = REQUEST_BYTES_MAX


class Exports(Protocol):
    """What can be chosen, as the handshake asks for it."""

    def find(self, name: str) -> Export | None:
        """Return the export of that name; the empty name stands for the only one there is."""

    def names(self) -> list[str]:
        """Return the names that a client may be told."""

    def is_leaving(self, name: str) -> bool:
        """Whether the export's clients are being sent away just now."""


class HandshakeState(Enum):
    """How far the handshake is."""

    CLIENT_FLAGS = "the client has not answered the greeting"
    OPTIONS = "the client sends options"
    AGREED = "an export is chosen: requests follow"
    ENDED = "the client left, or cannot be answered any more"


@attrs.frozen
class Agreement:
    """What both sides hold to during transmission."""

    export: Export
    structured: bool
    allocation_context: bool
    dirty_context: bool = False

    @property
    def describes(self) -> bool:
        """Whether the client may ask what is known of ranges."""
        return self.allocation_context or self.dirty_context


@attrs.define(eq=False)
class Handshake:
    """The server's side of one handshake."""

    _exports: Exports
    state: HandshakeState = HandshakeState.CLIENT_FLAGS
    #: Set once the state is AGREED.
    agreement: Agreement | None = None
    #: Why the state is ENDED; empty if the client wished it.
    reason: str = ""
    _no_zeroes: bool = False
    _structured: bool = False
    _context_export: str | None = None
    _contexts: frozenset[str] = frozenset()
    #: The one export that there is for this connection, and its name here; None: all of them.
    _only: tuple[str, str] | None = None

    def advance(self, buffer: ReceiveBuffer) -> bytes:
        """Consume what is complete, up to the choice of an export; return the answers."""
        answers = []
        while self.state is HandshakeState.OPTIONS or self.state is HandshakeState.CLIENT_FLAGS:
            if self.state is HandshakeState.CLIENT_FLAGS:
                answer = self._take_client_flags(buffer)
            else:
                answer = self._take_option(buffer)
            if answer is None:
                break
            answers.append(answer)
        return b"".join(answers)

    def _take_client_flags(self, buffer: ReceiveBuffer) -> bytes | None:
        if buffer.available_bytes < options.CLIENT_FLAGS.size:
            return None
        (flags,) = options.CLIENT_FLAGS.unpack(buffer.take(options.CLIENT_FLAGS.size))
        if flags & ~options.HANDSHAKE_FLAGS:
            return self._end("the client set flags that were not offered")
        self._no_zeroes = bool(flags & HandshakeFlag.NO_ZEROES)
        self.state = HandshakeState.OPTIONS
        return b""

    def _take_option(self, buffer: ReceiveBuffer) -> bytes | None:
        header = options.OPTION_HEADER
        if buffer.available_bytes < header.size:
            return None
        magic, option, length = header.unpack_from(buffer.memory, buffer.position)
        if magic != OPTION_MAGIC:
            return self._end("an option does not begin with its magic number")
        if length > OPTION_BYTES_MAX:
            if option == Option.EXPORT_NAME or length > OPTION_BYTES_SKIPPED_MAX:
                return self._end(f"an option of {length} bytes")
            buffer.consume(header.size)
            buffer.skip(length)
            error = OptionError(OptionReply.ERR_TOO_BIG, f"at most {OPTION_BYTES_MAX} bytes")
            return options.option_refusal(option, error)
        if buffer.available_bytes < header.size + length:
            return None
        buffer.consume(header.size)
        return self._answer(option, buffer.take(length))

    def _answer(self, option: int, data: bytes) -> bytes:
        try:
            match option:
                case Option.EXPORT_NAME:
                    return self._export_name(data)
                case Option.ABORT:
                    self._end("")
                    return options.option_reply(option, OptionReply.ACK)
                case Option.LIST:
                    _expect_no_data(data)
                    return options.server_replies(option, self._names())
                case Option.ONLY:
                    self._only = options.parse_only(data)
                    return options.option_reply(option, OptionReply.ACK)
                case Option.INFO | Option.GO:
                    return self._info_or_go(option, data)
                case Option.STRUCTURED_REPLY:
                    _expect_no_data(data)
                    self._structured = True
                    return options.option_reply(option, OptionReply.ACK)
                case Option.LIST_META_CONTEXT | Option.SET_META_CONTEXT:
                    return self._meta_context(option, data)
                case _:
                    text = "this server does not know the option"
                    return options.option_reply(option, OptionReply.ERR_UNSUP, text.encode())
        except OptionError as error:
            return options.option_refusal(option, error)

    def _export_name(self, data: bytes) -> bytes:
        try:
            export = self._find(options.parse_name(data))
        except OptionError as error:
            # This option has no error answer: the protocol asks for the connection to end.
            return self._end(error.text)
        self._agree(export)
        return options.export_name_reply(export, self._structured, self._no_zeroes)

    def _info_or_go(self, option: int, data: bytes) -> bytes:
        query = options.parse_info(data)
        export = self._find(query.name)
        if option == Option.GO:
            self._agree(export)
        return options.info_replies(option, export, query.infos, self._structured)

    def _meta_context(self, option: int, data: bytes) -> bytes:
        is_choice = option == Option.SET_META_CONTEXT
        if is_choice:
            self._context_export = None
        if not self._structured:
            raise OptionError(OptionReply.ERR_INVALID, "structured replies come first")
        query = options.parse_meta(data)
        export = self._find(query.name)
        wanted = [name for name in export.contexts if name in query.queries]
        if is_choice:
            self._context_export, self._contexts = export.name, frozenset(wanted)
            return options.context_replies(option, wanted, with_ids=True)
        listed = [
            name
            for name in export.contexts
            # A query may be a namespace and a colon, for everything in it.
            if not query.queries or name in wanted or name.partition(":")[0] + ":" in query.queries
        ]
        return options.context_replies(option, listed, with_ids=False)

    def _names(self) -> list[str]:
        names = self._exports.names()
        if self._only is None:
            return names
        export, shown = self._only
        return [shown] if export in names else []

    def _find(self, name: str) -> Export:
        hidden = self._only is not None and name not in {"", self._only[1]}
        wanted = name if self._only is None else self._only[0]
        export = None if hidden else self._exports.find(wanted)
        if export is None:
            raise OptionError(OptionReply.ERR_UNKNOWN, "no export has this name")
        if self._exports.is_leaving(export.name):
            raise OptionError(OptionReply.ERR_SHUTDOWN, "the export is going away")
        return export

    def _agree(self, export: Export) -> None:
        chosen = self._contexts if self._context_export == export.name else frozenset()
        self.agreement = Agreement(
            export,
            self._structured,
            allocation_context=options.ALLOCATION_CONTEXT in chosen,
            dirty_context=options.DIRTY_CONTEXT in chosen,
        )
        self.state = HandshakeState.AGREED

    def _end(self, reason: str) -> bytes:
        self.state = HandshakeState.ENDED
        self.reason = reason
        return b""


def _expect_no_data(data: bytes) -> None:
    if data:
        raise OptionError(OptionReply.ERR_INVALID, "this option takes no data")
