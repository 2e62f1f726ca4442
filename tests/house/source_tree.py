"""The project's own files: what git knows of, or, outside a clone, what the folders hold."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("srshell", "tui/srshell_tui", "magics/srshell_magics")
_TOP = ("srshell", "tui", "magics", "tests", "docs", "labs", "benchmarks", ".ci")


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file of the project, relative to its root; files made by tools are left out."""
    listing = ["git", "ls-files", "-z"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, check=False)
    if result.returncode == 0 and result.stdout:
        names = result.stdout.decode().split("\0")
        return tuple(Path(name) for name in names if name and (ROOT / name).is_file())
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for top in _TOP:
        found += [path for path in (ROOT / top).rglob("*") if path.is_file()]
    return tuple(
        path.relative_to(ROOT) for path in sorted(found) if "__pycache__" not in path.parts
    )


def python_files() -> list[Path]:
    """The project's Python files."""
    return [path for path in files() if path.suffix == ".py"]


def markdown_files() -> list[Path]:
    """The project's pages."""
    return [path for path in files() if path.suffix == ".md"]


def text(path: Path) -> str | None:
    """What a file says, or None if it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a Python file, nested ones and methods included."""
    for node in ast.walk(ast.parse(text(path) or "", filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
