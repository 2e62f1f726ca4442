"""What is nowhere in the code: ways in which data becomes code, and secrets are told by time."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import attrs
import pytest

from srshell.fabric import access

_ROOT: Final = Path(__file__).resolve().parents[2]
_ROOMS: Final = ("srshell", "magics/srshell_magics", "tui/srshell_tui")

#: Modules that turn bytes into objects or code, or speak without encryption by default.
MODULES: Final = (
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "yaml",
    "jsonpickle",    "code", "codeop", "xmlrpc", "telnetlib", "ftplib", "imp", "runpy", "pdb",
)  # fmt: skip
#: Calls that run text, or let a shell read it.
CALLS: Final = (
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput",
    "subprocess.getstatusoutput", "tempfile.mktemp", "msgpack.Ext", "breakpoint",
)  # fmt: skip
#: The user's own expression, typed into the user's own shell, is Python; nothing else is.
ALLOWED: Final = {("magics/srshell_magics/words.py", "eval")}


@attrs.frozen
class Facts:
    """What is looked for, from one pass over every file: where, and what stands there."""

    imports: tuple[tuple[str, str], ...]
    calls: tuple[tuple[str, str], ...]
    keywords: tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def facts() -> Facts:
    imports, calls, keywords = [], [], []
    for room in _ROOMS:
        for file in sorted((_ROOT / room).rglob("*.py")):
            path = str(file.relative_to(_ROOT))
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imports += [(path, alias.name.split(".")[0]) for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    imports.append((path, (node.module or "").split(".")[0]))
                elif isinstance(node, ast.Call):
                    calls.append((path, _name(node.func)))
                    keywords += [(path, keyword.arg or "") for keyword in node.keywords]
    return Facts(tuple(imports), tuple(calls), tuple(keywords))


def _name(function: ast.expr) -> str:
    """``name`` or ``module.name``; anything longer is not looked for."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("module", MODULES)
def test_no_file_imports(facts: Facts, module: str) -> None:
    assert [path for path, name in facts.imports if name == module] == []


@pytest.mark.parametrize("call", CALLS)
def test_no_file_calls(facts: Facts, call: str) -> None:
    found = [(path, name) for path, name in facts.calls if name == call]
    assert set(found) <= ALLOWED


def test_no_process_is_started_through_a_shell(facts: Facts) -> None:
    assert [path for path, name in facts.keywords if name == "shell"] == []


def test_tokens_are_compared_in_constant_time_alone() -> None:
    """The one file that knows tokens compares them in one place, and says none."""
    tree = ast.parse(Path(access.__file__).read_text(encoding="utf-8"))
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert calls.count("hmac.compare_digest") == 1
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and {"token", "known", "given"}
        & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    ]
    assert compared == []


def test_the_linter_looks_for_the_same() -> None:
    """Every rule of ruff is on; no file is let off those about security."""
    settings = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'select = ["ALL"]' in settings
    for rule in ("S301", "S302", "S307", "S506", "S602", "S605", "S306"):
        assert rule not in settings
