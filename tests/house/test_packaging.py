"""What is installed is what was tested."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import needs
from tests.house import source_tree


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    document = tomllib.loads((source_tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, Any] = document["project"]
    return table


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """The pinned version of every package; refuses any other kind of line."""
    found: dict[str, str] = {}
    for line in (source_tree.ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name, version = re.fullmatch(r"([\w.-]+)==([\w.+]+)", line).groups()  # type: ignore[union-attr]
        found[canonicalize_name(name)] = version
    return found


def _requirements(project: dict[str, Any]) -> list[Requirement]:
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return [Requirement(line) for line in [*project["dependencies"], *extras]]


def test_every_dependency_is_pinned_within_its_range(
    project: dict[str, Any], pins: dict[str, str]
) -> None:
    """A fresh clone installs the versions that the tests ran with."""
    wrong = [
        str(requirement)
        for requirement in _requirements(project)
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), ""))
    ]
    assert not wrong


def test_every_dependency_has_its_reason(project: dict[str, Any]) -> None:
    """No package comes in without a line that says why."""
    page = (source_tree.ROOT / "docs/decisions/0002-dependencies.md").read_text(encoding="utf-8")
    names = {requirement.name for requirement in _requirements(project)}
    assert not {name for name in names if f"`{name}`" not in page}


def test_every_package_is_typed_and_tests_are_none() -> None:
    """A `tests/tui/__init__.py` would be imported as `tui`; py.typed serves those who import us."""
    known = {path.as_posix() for path in source_tree.files()}
    assert {f"{package}/py.typed" for package in source_tree.PACKAGES} <= known
    assert not [name for name in known if name.startswith("tests/") and "__init__.py" in name]
    assert not {"tui/__init__.py", "magics/__init__.py"} & known


def test_the_wheel_holds_three_packages_and_all_their_files(tmp_path: Path) -> None:
    """A build that silently leaves files out says "successfully built" all the same."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=source_tree.ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to("." if path.parts[0] == "srshell" else path.parts[0]).as_posix()
        for path in source_tree.files()
        if path.as_posix().startswith(source_tree.PACKAGES)
    }
    assert expected <= shipped
    # Students get the labs, and not the answers.
    assert {"srshell/labs/texts/places/lab.md", "srshell/labs/texts/home/desk.py"} <= shipped
    assert not [name for name in shipped if "keys" in name or name.endswith("/key.py")]
    top = {name.split("/")[0] for name in shipped}
    assert {name for name in top if "dist-info" not in name} == {
        "srshell",
        "srshell_magics",
        "srshell_tui",
    }


@needs.tools("make")
def test_make_lists_its_targets() -> None:
    """`make` alone explains itself."""
    environment = {**os.environ, "MAKEFLAGS": ""}
    result = subprocess.run(
        ["make"], cwd=source_tree.ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert {"demo", "test"} <= set(re.findall(r"make (\w+)", result.stdout))
