"""Who may do what: every command says it, and the owner keeps to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

import srshell.fabric.api  # noqa: F401 - declares every verb
from srshell.fabric.access import Access, Peer, read_access, shared_socket
from srshell.fabric.calls import parse_line
from srshell.fabric.command_spec import Effect, Role
from srshell.fabric.commands import COMMANDS
from srshell.fabric.place import FabricPlace
from srshell.fabric.roles import check_role, needed_role
from srshell.fabric.verb import VERBS
from srshell.model.errors import SrError

_TOKEN: Final = "0123456789abcdefghijkl-viewer"  # noqa: S105 - an example
_OTHER: Final = "0123456789abcdefghijkl-operator"
_STRANGER: Final = Peer(65_000, frozenset({65_000}))

#: What a role may do, written down a second time: a wrong word in the registry is a hole.
VIEWER: Final = frozenset(
    {
        "arrays", "branch", "branches", "events", "explain", "group", "groups", "info", "job",
        "jobs", "pairs", "pools", "status", "vms", "volumes", "wait", "why",
        "copies", "drawing", "drill", "lag", "trace_write",
    }
)  # fmt: skip
OPERATOR: Final = frozenset(
    {
        "add_vm", "check_vm", "export_branch", "keep_branch", "nbd", "prepare", "refresh",
        "remove_vm", "restart", "resume", "suspend", "topology", "verify",
    }
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_whom_it_is_for(command: str) -> None:
    """One that loses data, or changes what there is, is for the owner alone."""
    spec = COMMANDS[command]
    assert spec.role is not None
    if spec.destructive:
        assert spec.needs is Role.ADMIN
    if spec.effect in {Effect.CHANGES, Effect.WAITS}:
        assert spec.needs is not Role.VIEWER


@pytest.mark.parametrize("verb", VERBS)
def test_each_role_may_do_what_it_should(verb: str) -> None:
    """A verb that is named nowhere here is for the owner alone: new ones too."""
    needed = Role.VIEWER if verb in VIEWER else Role.OPERATOR if verb in OPERATOR else Role.ADMIN
    assert needed_role(verb, {}) is needed
    for role in Role:
        if role.allows(needed):
            check_role(role, verb, {})
        else:
            with pytest.raises(SrError) as refused:
                check_role(role, verb, {})
            assert refused.value.code == "SR9010"
            assert needed.value in refused.value.facts
            assert refused.value.mend


def test_the_tables_name_verbs_that_there_are() -> None:
    assert set(VERBS) >= VIEWER | OPERATOR


@pytest.mark.parametrize(
    ("verb", "arguments", "needed"),
    [
        ("resume", {"group": "g", "alone": True}, Role.ADMIN),
        ("resume", {"group": "g", "alone": False}, Role.OPERATOR),
        ("job", {"number": 1, "cancel": True}, Role.OPERATOR),
        ("job", {"number": 1, "cancel": False}, Role.VIEWER),
        ("failover", {"group": "g", "dry_run": True}, Role.ADMIN),
        ("provision_pair", {}, Role.ADMIN),
        ("no_such_verb", {}, Role.ADMIN),
        ("perform", {}, Role.ADMIN),
        ("__init__", {}, Role.ADMIN),
        ("close", {}, Role.ADMIN),
    ],
)
def test_arguments_raise_a_role(verb: str, arguments: dict[str, object], needed: Role) -> None:
    """Alone is another thing than going on; a plan looks at what it plans."""
    assert needed_role(verb, arguments) is needed


def test_roles_are_ordered() -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    for index, role in enumerate(order):
        assert [role.allows(other) for other in order] == [at <= index for at in range(3)]


# Who has which role.


@pytest.fixture
def place(tmp_path: Path) -> FabricPlace:
    tmp_path.chmod(0o700)
    return FabricPlace(tmp_path)


def _secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def _with_tokens(place: FabricPlace) -> Access:
    lines = f"# comment\n\nviewer {_TOKEN}\noperator {_OTHER}\n"
    file = _secret(place.directory / "tokens", lines)
    return read_access(place, token_file=str(file), socket_path=str(place.directory / "s"))


def test_nobody_has_a_role_unless_it_was_given(place: FabricPlace) -> None:
    """The default is the owner's user, root, and nobody."""
    access = read_access(place)
    assert access.socket is None
    assert shared_socket(access) is None
    assert access.role_of(Peer(os.geteuid(), frozenset()), "") is Role.ADMIN
    assert access.role_of(Peer(0, frozenset()), "") is Role.ADMIN
    assert access.role_of(_STRANGER, "") is None
    assert access.role_of(_STRANGER, _TOKEN) is None


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ({1}, None),
        ({2}, Role.VIEWER),
        ({3}, Role.OPERATOR),
        ({2, 3}, Role.OPERATOR),
        (set(), None),
        ({0}, None),
    ],
)
def test_the_groups_of_the_system_give_roles(groups: set[int], role: Role | None) -> None:
    """The kernel's groups of the peer, and the higher role of several."""
    access = Access(Path("/s"), ("bin",), ("sys",))
    assert access.role_of(Peer(65_000, frozenset(groups)), "") is role


@pytest.mark.parametrize(
    ("token", "role"),
    [
        (_TOKEN, Role.VIEWER),
        (_OTHER, Role.OPERATOR),
        ("", None),
        (_TOKEN[:-1], None),
        (_TOKEN + "x", None),
        (_TOKEN.upper(), None),
        ("viewer " + _TOKEN, None),
        ("*", None),
        ("\0", None),
        ("é" * 30, None),
        ("a" * 1_000_000, None),
    ],
)
def test_a_token_gives_its_role_and_no_other(
    place: FabricPlace, token: str, role: Role | None
) -> None:
    assert _with_tokens(place).role_of(_STRANGER, token) is role


def test_tokens_are_never_shown(place: FabricPlace) -> None:
    """Neither in status, nor in a representation that a log may hold."""
    access = _with_tokens(place)
    assert _TOKEN not in repr(access) + " ".join(access.lines())
    assert access.lines() == ("viewer: a token", "operator: a token")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("viewers = ['staff']", "viewers"),
        ("viewer_groups = 'staff'", "viewer_groups"),
        ("viewer_groups = ['no-such-group-here']\nsocket = '/s'", "no group"),
        ("viewer_groups = ['bin']", "no socket"),
        ("socket = '/s'", "no group and no token"),
        ("= = =", "statement"),
        ("x = " + "[" * 2000, ""),
        ("\u0000", "statement"),
    ],
)
def test_an_access_file_that_cannot_be_read_stops_the_owner(
    place: FabricPlace, text: str, why: str
) -> None:
    """Better no owner than one that lets in whom nobody meant."""
    _secret(place.directory / "access.toml", text)
    with pytest.raises(SrError) as refused:
        read_access(place)
    assert refused.value.code == "SR9009"
    assert why in refused.value.facts


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o660, 0o602])
def test_an_access_file_that_others_can_write_is_refused(place: FabricPlace, mode: int) -> None:
    _secret(place.directory / "access.toml", "", mode)
    with pytest.raises(SrError, match="SR9009"):
        read_access(place)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_token_file_that_others_can_read_is_refused(place: FabricPlace, mode: int) -> None:
    file = _secret(place.directory / "tokens", f"viewer {_TOKEN}\n", mode)
    with pytest.raises(SrError, match="SR9009"):
        read_access(place, token_file=str(file), socket_path="/s")


@pytest.mark.parametrize(
    "lines",
    [
        "viewer short",
        f"root {_TOKEN}",
        _TOKEN,
        f"viewer {_TOKEN} and more",
        f"VIEWER {_TOKEN}",
        "viewer " + "a" * 70_000,
    ],
)
def test_a_token_file_says_role_and_token(place: FabricPlace, lines: str) -> None:
    """A line that means nothing is refused, and not left out."""
    file = _secret(place.directory / "tokens", lines)
    with pytest.raises(SrError, match="SR9009") as refused:
        read_access(place, token_file=str(file), socket_path="/s")
    assert "a" * 30 not in refused.value.facts


@pytest.mark.parametrize("name", ["access.toml", "tokens"])
@pytest.mark.parametrize("kind", ["link", "directory", "fifo", "dangling"])
def test_only_a_regular_file_of_ours_gives_roles(place: FabricPlace, name: str, kind: str) -> None:
    """A link could lead to a file that somebody else writes; a pipe would hang the owner."""
    path, elsewhere = place.directory / name, place.directory / "elsewhere"
    if kind == "link":
        _secret(elsewhere, "")
    if kind in {"link", "dangling"}:
        path.symlink_to(elsewhere)
    elif kind == "directory":
        path.mkdir(mode=0o700)
    else:
        os.mkfifo(path, 0o600)
    tokens = str(path) if name == "tokens" else None
    with pytest.raises(SrError, match="SR9009"):
        read_access(place, token_file=tokens, viewer_groups=("bin",), socket_path="/s")


def test_the_options_of_serve_give_roles_too() -> None:
    """They add to the file; the socket and the tokens are places, and so absolute."""
    line = "serve --share s --viewer-group bin sys --operator-group adm --token-file t"
    call = parse_line(line)
    assert call.arguments == {
        "share": str(Path.cwd() / "s"),
        "viewer_groups": ("bin", "sys"),
        "operator_groups": ("adm",),
        "token_file": str(Path.cwd() / "t"),
    }


def test_options_add_to_the_file(place: FabricPlace) -> None:
    file = _secret(place.directory / "access.toml", "viewer_groups = ['bin']\nsocket = '/s'\n")
    access = read_access(place, viewer_groups=("sys",), operator_groups=("adm",))
    assert (access.viewer_groups, access.operator_groups) == (("bin", "sys"), ("adm",))
    assert access.socket == Path("/s")
    assert file.exists()


@pytest.mark.parametrize(
    ("path", "why"),
    [("s", "absolute"), ("../s", "absolute"), ("/no/such/place/s", "No such"), ("/proc/1/s", "")],
)
def test_a_shared_socket_lies_where_it_can(path: str, why: str) -> None:
    with pytest.raises(SrError, match="SR9009") as refused:
        shared_socket(Access(Path(path), ("bin",)))
    assert why in refused.value.facts
