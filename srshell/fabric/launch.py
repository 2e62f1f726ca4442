"""How a client comes to an owner: the one that runs, or one that it starts.

Always true:

(1) An owner that a client starts runs in a session of its own: no terminal, prompt or kernel that
    ends takes it along.
(2) Clients that start owners at once race on the owner's lock; the losers end, and every client
    is told by its own child where the winner is.

(3) An owner that is late is not lost: it serves whoever asks next.

    read owner.json --answers--> connected
                    --silent---> start an owner, wait until it says "ready", connect
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import attrs

from srshell.fabric.control_http import ControlHttp, OwnerGone
from srshell.fabric.place import FabricPlace, OwnerLock
from srshell.model.errors import SrError

#: How long an owner may take until it answers, in seconds: one that ends instead is seen at once,
#: and one on a machine that is busy with other things is slow, not dead.
START_SECONDS = 120.0
#: How long an owner may take to end with its sites and machines, in seconds.
STOP_SECONDS = 120.0
_LOOK_SECONDS = 0.02


@attrs.frozen
class OwnerOptions:
    """How an owner that has to be started is started."""

    sandbox: bool = False
    profile: str | None = None


def connect(
    place: FabricPlace, *, start: bool = True, options: OwnerOptions | None = None
) -> ControlHttp:
    """A connection to the owner of a fabric.

    Raises:
        SrError: SR9001, no owner answers and none was to be started; or what kept one from
            starting.
    """
    connection = try_connect(place)
    if connection is not None:
        return connection
    if not start or place.shared_socket is not None:
        raise no_owner(place, "no process answers at its socket")
    start_owner(place, options or OwnerOptions())
    connection = try_connect(place)
    if connection is None:
        raise no_owner(place, f"the owner that was started ended again; see {place.owner_log}")
    return connection


def try_connect(place: FabricPlace) -> ControlHttp | None:
    """A connection to an owner that answers; None if none does."""
    path = place.read_card().get("socket")
    if not isinstance(path, str):
        return None
    connection = ControlHttp(Path(path))
    try:
        connection.get("hello")
    except OwnerGone:
        connection.close()
        return None
    return connection


def no_owner(place: FabricPlace, facts: str) -> SrError:
    """The error for a fabric without an owner."""
    return SrError.make("SR9001", facts=facts, fabric=str(place.directory))


def start_owner(place: FabricPlace, options: OwnerOptions) -> None:
    """Start an owner and wait until it, or another one that was faster, answers.

    Raises:
        SrError: the error that kept the owner from starting; SR9001, it said nothing in time.
    """
    place.make()
    command = [sys.executable, "-m", "srshell", "--fabric", str(place.directory), "serve"]
    command += ["--detached"]
    command += ["--sandbox"] if options.sandbox else []
    command += ["--profile", options.profile] if options.profile else []
    reader, writer = os.pipe()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(place.owner_log, flags, 0o600), "ab") as log:
            process = subprocess.Popen(
                [*command, "--ready-fd", str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(writer,),
                cwd="/",
                env=child_environment(),
            )
    except OSError as error:
        os.close(reader)
        raise no_owner(place, f"start: {error.strerror}") from error
    finally:
        os.close(writer)
    try:
        _wait_until_ready(place, reader)
    finally:
        # The owner is a grandchild: the process started here ends once it has made it.
        process.wait()


def child_environment() -> dict[str, str]:
    """The environment in which another process of ours finds this package, in any directory.

    Assertions guard data: a variable that takes them out of programs is not for ours.
    """
    known = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
    root = Path(__file__).resolve().parents[2]
    if root.name in {"site-packages", "dist-packages"}:
        return known
    paths = [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**known, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _wait_until_ready(place: FabricPlace, reader: int) -> None:
    """Read what the owner says about its start, from the pipe that it was given."""
    deadline = time.monotonic() + START_SECONDS
    said = b""
    try:
        while not said.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([reader], [], [], left)[0]:
                facts = f"it did not answer in {START_SECONDS:.0f} s; the next command waits for it"
                raise no_owner(place, facts)
            piece = os.read(reader, 65536)
            if not piece:
                break
            said += piece
    finally:
        os.close(reader)
    if said.strip() == b"ready":
        return
    if not said.strip():
        raise no_owner(place, f"it ended while starting; see {place.owner_log}")
    raise SrError.from_json(json.loads(said))


def await_release(place: FabricPlace) -> None:
    """Wait until an owner that was told to stop has let go of the fabric; at most ten seconds."""
    if place.shared_socket is not None:
        return  # its directory is not ours to look at
    end = time.monotonic() + 10.0
    lock = OwnerLock(place)
    while time.monotonic() < end:
        if lock.take():
            lock.release()
            return
        time.sleep(_LOOK_SECONDS)
