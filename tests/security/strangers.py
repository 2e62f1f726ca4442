"""Another user of the same machine: a process that gives up its rights, then tries what it is told.

Always true: the process is this interpreter, which was loaded with the rights that it then drops;
whatever it meets it tells, and it never fails by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

NOBODY: Final = 65_534
#: A group that nobody is in.
GROUP: Final = 64_321

_REQUESTS: Final = """
import http.client, json, os, socket, sys
task = json.load(sys.stdin)
os.setgroups(task["groups"]); os.setgid(task["gid"]); os.setuid(task["uid"])
def connect():
    stream = socket.socket(socket.AF_UNIX); stream.settimeout(20)
    stream.connect(task["path"]); return stream
def ask(method, path, body, token):
    link = http.client.HTTPConnection("localhost", timeout=20)
    try:
        link.sock = connect()
        headers = {"Authorization": "Bearer " + token} if token else {}
        link.request(method, path, body, headers)
        answer = link.getresponse()
        return [answer.status, answer.read(65536).decode()]
    except OSError as error:
        return [0, type(error).__name__]
    finally:
        link.close()
def listen(said):
    try:
        stream = connect()
        try:
            stream.sendall(said.encode("latin-1"))
        except ConnectionError:
            pass  # it may have hung up, and left a word
        return [1, stream.recv(65536).decode("latin-1")]
    except OSError as error:
        return [0, type(error).__name__]
def touch(path):
    try:
        os.close(os.open(path, os.O_RDONLY)); return [1, ""]
    except OSError as error:
        return [0, type(error).__name__]
do = {"ask": ask, "listen": listen, "touch": touch}
json.dump([do[kind](*rest) for kind, *rest in task["work"]], sys.stdout)
"""


@attrs.frozen
class Answer:
    """What a stranger met: an HTTP status, 1 for bytes, 0 for an error of the system."""

    status: int
    text: str

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a refusal."""
        content: dict[str, Any] = json.loads(self.text)
        return content


def as_stranger(
    path: Path | str,
    work: Sequence[Sequence[str]],
    *,
    gid: int = NOBODY,
    groups: Sequence[int] = (),
) -> list[Answer]:
    """Do some things at a socket as nobody, who is in these groups.

    Args:
        path: the socket.
        work: rows of ``ask METHOD PATH BODY TOKEN``, ``listen BYTES`` or ``touch PATH``.
        gid: the first group of the process.
        groups: its others.
    """
    task = {
        "path": str(path),
        "groups": list(groups),
        "gid": gid,
        "uid": NOBODY,
        "work": [list(row) for row in work],
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", _REQUESTS],
        input=json.dumps(task),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return [Answer(*row) for row in json.loads(done.stdout)]
