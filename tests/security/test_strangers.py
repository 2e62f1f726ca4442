"""A second user: every socket turns him away, and with a role he gets that role and no more."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

import srshell.fabric.api  # noqa: F401 - declares every verb
from srshell.fabric import launch
from srshell.fabric.access import Access, read_access, shared_socket
from srshell.fabric.command_spec import Role
from srshell.fabric.control_server import ControlServer, listening_socket
from srshell.fabric.place import FabricPlace, find_place
from srshell.fabric.reports import StoppedReport
from srshell.fabric.roles import needed_role
from srshell.fabric.session import FabricSession
from srshell.fabric.threads import LoopThread
from srshell.fabric.verb import VERBS
from srshell.model.errors import SrError
from srshell.site.server import SiteServer
from tests import needs
from tests.security.strangers import GROUP, NOBODY, Answer, as_stranger
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.setting import Opener, protect
from tests.unit.site.hosting import Fabric

pytestmark = needs.root()

_VIEWER: Final = "0123456789abcdefghijkl-viewer"
_ADMIN: Final = "0123456789abcdefghijkl-admin"
#: What each verb is asked with; it fits the protected fabric, so that only the role can refuse it.
_BODY: Final = json.dumps({})
_LOOKS: Final = ("hello", "info", "status", "jobs", "events", "arrays", "jobs/1", "watch?period=1")


@attrs.define
class Served:
    """A fabric that answers on both of its sockets."""

    directory: Path
    loop: LoopThread
    session: FabricSession
    stopped: list[bool]

    @property
    def private(self) -> Path:
        return self.directory / "fabric" / "api"

    @property
    def shared(self) -> Path:
        return self.directory / "shared"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="srshell-roles-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        loop = LoopThread()
        opener = Opener(directory, FakeWorld())
        opened = opener.open()
        session = loop.run(opened.__aenter__())
        loop.run(protect(session, opener))
        stopped: list[bool] = []
        made = Served(directory, loop, session, stopped)
        server = ControlServer(session, name, _stop(stopped), _access(directory))
        loop.run(_begin(server, made, _access(directory)))
        yield made
        loop.run(server.close())
        loop.run(opened.__aexit__(None, None, None))
        loop.close()


def _stop(stopped: list[bool]):  # type: ignore[no-untyped-def] # noqa: ANN202
    async def stop(keep_sites: bool) -> StoppedReport:
        stopped.append(keep_sites)
        return StoppedReport("f", 1, not keep_sites)

    return stop


def _access(directory: Path) -> Access:
    tokens = directory / "tokens"
    if not tokens.exists():
        tokens.write_text(f"viewer {_VIEWER}\nadmin {_ADMIN}\n")
        tokens.chmod(0o600)
    return read_access(
        FabricPlace(directory / "fabric"),
        operator_groups=("nogroup",),
        token_file=str(tokens),
        socket_path=str(directory / "shared"),
    )


async def _begin(server: ControlServer, made: Served, access: Access) -> None:
    shared = shared_socket(access)
    assert shared is not None
    await server.start(listening_socket(made.private), shared)


def _everything(token: str) -> list[list[str]]:
    rows = [["ask", "GET", f"/v1/{path}", "", token] for path in _LOOKS if "watch" not in path]
    rows += [["ask", "POST", f"/v1/operations/{verb}", _BODY, token] for verb in VERBS]
    return [*rows, ["ask", "POST", "/v1/stop", "{}", token]]


def _by_verb(answers: list[Answer]) -> dict[str, Answer]:
    return dict(zip(VERBS, answers[-1 - len(VERBS) : -1], strict=True))


@pytest.fixture(scope="module")
def looked(served: Served) -> dict[str, Answer]:
    """Everything, asked with a token for looking, by somebody in no group of ours."""
    return _by_verb(as_stranger(served.shared, _everything(_VIEWER), gid=GROUP))


@pytest.mark.parametrize("verb", VERBS)
def test_a_token_for_looking_looks(looked: dict[str, Answer], verb: str) -> None:
    """Nothing that changes anything, or works a disk, is a viewer's."""
    answer = looked[verb]
    if needed_role(verb, {}) is Role.VIEWER:
        assert answer.status != 403, answer
    else:
        assert (answer.status, answer.error["code"]) == (403, "SR9010")
        assert "you are viewer here" in answer.error["facts"]


def test_the_private_socket_is_out_of_reach(served: Served) -> None:
    """By its directory, by its mode, and by the kernel's word on who asks."""
    request = [["ask", "GET", "/v1/status", "", ""]]
    assert as_stranger(served.private, request)[0].text == "PermissionError"
    modes = {path: path.stat().st_mode for path in (served.private.parent, served.private)}
    try:
        served.private.parent.chmod(0o711)
        assert as_stranger(served.private, request)[0].text == "PermissionError"
    finally:
        for path, mode in modes.items():
            path.chmod(mode & 0o7777)


def test_a_stranger_hears_nothing_but_a_refusal(served: Served) -> None:
    """No role: the first word and the last verb are refused alike, whatever the token says."""
    alone = Access(served.shared)
    server = ControlServer(served.session, "f", _stop(served.stopped), alone)
    path = served.directory / "open"
    served.loop.run(server.start(listening_socket(path)))
    try:
        path.chmod(0o666)
        for token in ("", _ADMIN, "x"):
            answers = as_stranger(path, _everything(token))
            assert {answer.status for answer in answers} == {403}
            assert {answer.error["code"] for answer in answers} == {"SR9008"}
            assert {answer.error["facts"] for answer in answers} == {f"user {NOBODY}"}
    finally:
        served.loop.run(server.close())
    assert served.stopped == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_group_of_operators_operates(
    served: Served, operated: dict[str, Answer], verb: str
) -> None:
    """What sets up or destroys is refused with the role that it needs; nothing else is."""
    answer = operated[verb]
    if Role.OPERATOR.allows(needed_role(verb, {})):
        assert answer.status != 403, answer
    else:
        assert (answer.status, answer.error["code"]) == (403, "SR9010")
        assert "you are operator here" in answer.error["facts"]


@pytest.fixture(scope="module")
def operated(served: Served) -> dict[str, Answer]:
    """Everything, asked by somebody in the group of operators."""
    return _by_verb(as_stranger(served.shared, _everything("")))


def test_a_refused_call_changes_nothing(served: Served, operated: dict[str, Answer]) -> None:
    """The fabric is as it was, and its owner still answers."""
    assert operated
    groups = served.loop.run(served.session.groups())
    assert sorted(group.name for group in groups) == ["PriRG", "RecRG"]
    assert served.stopped == []


def test_info_says_what_one_is(served: Served) -> None:
    """One's own role, and whom else the owner let in; no token."""
    (answer,) = as_stranger(served.shared, [["ask", "GET", "/v1/info", "", ""]])
    assert answer.error["role"] == "operator"
    assert "operator: group nogroup" in answer.error["access"]
    assert _ADMIN not in answer.text
    assert served.loop.run(served.session.info()).role == "admin"


def test_a_token_raises_the_role_of_a_group(served: Served) -> None:
    """A wrong one changes nothing."""
    rows = [["ask", "GET", "/v1/info", "", token] for token in (_ADMIN, _VIEWER, "wrong")]
    answers = as_stranger(served.shared, rows)
    assert [answer.error["role"] for answer in answers] == ["admin", "operator", "operator"]


def test_a_client_names_the_shared_socket(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the directory; with its token, and without starting an owner of its own."""
    monkeypatch.setenv("SRSHELL_TOKEN", _VIEWER)
    connection = launch.try_connect(find_place(served.shared))
    assert connection is not None
    # The tests run as the owner's user: a token lowers no role.
    assert json.loads(connection.get("info"))["role"] == "admin"
    connection.close()
    dead = served.directory / "dead"
    listening_socket(dead).close()
    with pytest.raises(SrError, match="SR9001"):
        launch.connect(find_place(dead))
    assert not dead.is_dir()


def test_nothing_of_the_fabric_can_be_read_beside_its_sockets(served: Served) -> None:
    """Catalogue, lock, journal: the directory lets nobody in."""
    paths = [path for path in (served.directory / "fabric").rglob("*") if not path.is_socket()]
    assert paths
    answers = as_stranger("/", [["touch", str(path)] for path in paths])
    assert {answer.text for answer in answers} == {"PermissionError"}


# The sockets of a site.


@pytest.fixture
async def sites() -> AsyncIterator[Fabric]:
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        fabric = Fabric(Path(name))
        site = await fabric.with_volumes()
        await site.export("volA")
        server = SiteServer(site)
        await server.start(site.settings.rpc_socket)
        yield fabric
        await fabric.close()
        await server.close()


_SAID: Final = {
    "site": b"\x00\x00\x00\x10\x84".decode("latin-1"),
    "link": "SRLK" + "\x01" * 40,
    "nbd": "\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x03\x00\x00\x00\x00",
}


@pytest.mark.parametrize("kind", ["site", "link", "nbd"])
async def test_the_sockets_of_a_site_are_out_of_reach(sites: Fabric, kind: str) -> None:
    """First the directory refuses, then the mode, then the kernel's word on who asks."""
    settings = sites.settings()
    path = settings.run_directory / f"A.{kind}"
    row = [["listen", _SAID[kind]]]
    assert (await _tried(path, row)).text == "PermissionError"
    for directory in (sites.place, path.parent):
        directory.chmod(0o755)
    assert (await _tried(path, row)).text == "PermissionError"
    path.chmod(0o666)
    answer = await _tried(path, row)
    if kind == "site":
        assert "SR9008" in answer.text
        assert "welcome" not in answer.text
    else:
        # Not even the greeting: the connection ends without a word.
        assert answer.text in {"", "ConnectionResetError", "BrokenPipeError"}


async def _tried(path: Path, work: list[list[str]]) -> Answer:
    (answer,) = await asyncio.to_thread(as_stranger, path, work)
    return answer
