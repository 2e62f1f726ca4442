"""Bugs planted outside of the engine: who serves, who may, and which formats are read.

Always true: each names one test of the project that fails while it is planted and passes otherwise.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from srshell.codec import superblock, superblock_body
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import HEADER_BYTES, parse_header
from srshell.engine import opening
from srshell.export import nbd_options, nbd_session
from srshell.export.nbd_numbers import Command, TransmissionFlag
from srshell.model.replica import Segment
from srshell.replication import scan
from srshell.storage import BlockFile


@attrs.frozen
class ProductMutant:
    """``wrong`` in place of ``name`` in ``place``."""

    sentence: str
    promise: str
    place: Any
    name: str
    wrong: Any
    caught_by: str  # a test as "package.module:function"
    arguments: tuple[Any, ...] = ()


class _AnyReader(dict[int, Any]):
    """The newest reader, for whatever version is asked for."""

    def __contains__(self, version: object) -> bool:
        return True

    def __missing__(self, version: int) -> Any:  # noqa: ANN401
        return self[max(self)]


class _Everything:
    """A container that holds whatever it is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


_call = nbd_session.NbdSession._call
_flags = nbd_options.Export.transmission_flags
_take_header = scan.LogScan._take_header


def _flushes_nothing(session: Any, request: Any) -> Any:  # noqa: ANN401
    if request.command != Command.FLUSH:
        return _call(session, request)
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _forgets_fua(session: Any, request: Any) -> Any:  # noqa: ANN401
    return _call(session, msgspec.structs.replace(request, flags=0))


def _offers_several_connections(export: Any, structured: bool) -> TransmissionFlag:  # noqa: ANN401
    return _flags(export, structured) | TransmissionFlag.CAN_MULTI_CONN


def _believes_any_chain(log: Any, data: bytes) -> None:  # noqa: ANN401
    with suppress(FormatError):
        log.chain = parse_header(data[:HEADER_BYTES]).prev_crc
    _take_header(log, data)


def _one_salt(first_lsn: int, position: int, _randomness: object) -> Segment:
    return Segment(first_lsn, position, 1, 1)


async def _sync_nothing(_file: BlockFile) -> None:
    return


def _damages_nothing(*_: object) -> bool:
    return False


MUTANTS = (
    ProductMutant(
        "a flush is answered without asking the device",
        "P19",
        nbd_session.NbdSession,
        "_call",
        _flushes_nothing,
        "unit.export.test_nbd_session:test_every_command_reaches_the_device_with_its_flags",
        (Path,),
    ),
    ProductMutant(
        "FUA is forgotten on the way to the device",
        "P19",
        nbd_session.NbdSession,
        "_call",
        _forgets_fua,
        "unit.export.test_nbd_session:test_every_command_reaches_the_device_with_its_flags",
        (Path,),
    ),
    ProductMutant(
        "several connections are offered by a device that cannot",
        "P19",
        nbd_options.Export,
        "transmission_flags",
        _offers_several_connections,
        "unit.export.test_nbd_handshake:"
        "test_several_connections_are_offered_only_if_the_device_can",
    ),
    ProductMutant(
        "a superblock of a later version is read",
        "P21",
        superblock,
        "READERS",
        _AnyReader(superblock_body.READERS),
        "unit.codec.test_superblock:test_a_later_version_is_refused_by_that_word_when_it_is_intact",
    ),
    ProductMutant(
        "an unknown field of a superblock is dropped",
        "P21",
        superblock,
        "bodies",
        lambda *_: _Everything(),
        "unit.codec.test_superblock:test_an_unknown_field_is_refused",
    ),
    ProductMutant(
        "the log of another partnership is opened",
        "P22",
        opening,
        "_check_identity",
        _damages_nothing,
        "unit.engine.test_opening:test_the_log_of_somebody_else_is_not_opened",
        ("dd" * 16, ""),
    ),
    ProductMutant(
        "every segment has the same salt",
        "P8",
        opening,
        "new_segment",
        _one_salt,
        "unit.engine.test_opening:test_each_opening_begins_a_segment_with_a_salt_of_its_own",
    ),
    ProductMutant(
        "what a killed process left in the page cache counts as durable",
        "P2",
        BlockFile,
        "sync",
        _sync_nothing,
        "unit.engine.test_volume_set:"
        "test_what_a_killed_process_left_in_the_cache_is_synced_before_it_counts",
    ),
    ProductMutant(
        "a frame need not continue the one before it",
        "P8",
        scan.LogScan,
        "_take_header",
        _believes_any_chain,
        "unit.replication.test_scan:test_a_frame_that_continues_another_one_is_not_read",
    ),
)


def sentence_of(mutant: ProductMutant) -> str:
    """Return the name of a test case."""
    return mutant.sentence


def run_test(mutant: ProductMutant) -> None:
    """Run the test that catches a mutant; raises what the test raises."""
    module, name = mutant.caught_by.split(":")
    test: Callable[..., Any] = getattr(importlib.import_module(f"tests.{module}"), name)
    with tempfile.TemporaryDirectory(prefix="srm-") as folder:
        arguments = [Path(folder) if given is Path else given for given in mutant.arguments]
        result = test(*arguments)
        if inspect.isawaitable(result):
            asyncio.run(_waited(result))


async def _waited(result: Any) -> None:  # noqa: ANN401
    await result


def is_caught(mutant: ProductMutant) -> bool:
    """Plant a mutant and tell whether its test fails."""
    with pytest.MonkeyPatch.context() as planting:
        planting.setattr(mutant.place, mutant.name, mutant.wrong)
        try:
            run_test(mutant)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001  (any failure of the test will do)
            return True
    return False


def rows() -> Iterator[tuple[str, str, str, int]]:
    """Give sentence, promise, catcher and tries of every mutant."""
    for mutant in MUTANTS:
        run_test(mutant)
        name = mutant.caught_by.partition(":")[2]
        yield mutant.sentence, mutant.promise, f"unit: {name}" if is_caught(mutant) else "", 1
