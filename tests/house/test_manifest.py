"""A skip is an exception that must be explained."""

from pathlib import Path

import pytest

from tests import manifest, needs

pytest_plugins = ["pytester"]

WITH_REASON = manifest.Skip("tests/a.py::b", "needs root")
CONFTEST = """
import pathlib, sys
sys.path.insert(0, {root!r})
from tests import conftest
conftest.MANIFEST = pathlib.Path("skips.json")
from tests.conftest import pytest_configure
"""


def _run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    root = str(Path(manifest.__file__).parent.parent)
    pytester.makeconftest(CONFTEST.format(root=root))
    pytester.makepyfile(body)
    return pytester.runpytest_subprocess("-p", "no:asyncio")


def test_a_skip_with_a_reason_is_listed_and_the_run_passes(pytester: pytest.Pytester) -> None:
    """The closing lines tell a person what did not run, and what it needs."""
    body = "import pytest\n@pytest.mark.skipif(True, reason='needs root')\ndef test_x(): pass\n"
    result = _run(pytester, body)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*skip manifest*", "1 skipped: needs root"])
    assert [skip.reason for skip in manifest.read(pytester.path / "skips.json")] == ["needs root"]


def test_a_skip_without_a_reason_fails_the_run(pytester: pytest.Pytester) -> None:
    """Otherwise a test could vanish and nobody would know why."""
    result = _run(pytester, "import pytest\n@pytest.mark.skip\ndef test_x(): pass\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skipped without a reason: *test_x"])


def test_a_file_that_skips_itself_is_listed(pytester: pytest.Pytester) -> None:
    """A skip while collecting hides more than one test."""
    result = _run(pytester, "import pytest\npytest.importorskip('no_such_module')\n")
    result.stdout.fnmatch_lines(["1 skipped: could not import 'no_such_module'*"])


def test_an_empty_manifest_is_written_and_passes(tmp_path: Path) -> None:
    """No manifest at all is a mistake of the run, not a success."""
    path = tmp_path / "build" / "skips.json"
    with pytest.raises(OSError, match=r"skips\.json"):
        manifest.main(["--must-be-empty", str(path)])
    manifest.write(path, [])
    assert manifest.main(["--must-be-empty", str(path)]) == 0


def test_a_manifest_with_a_skip_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the continuous integration asserts as root."""
    manifest.write(tmp_path / "skips.json", [WITH_REASON])
    assert manifest.main(["--must-be-empty", str(tmp_path / "skips.json")]) == 1
    assert "tests/a.py::b: needs root" in capsys.readouterr().err


def test_an_absent_tool_is_named_with_its_package() -> None:
    """The reason is something that a person can act on."""
    mark = needs.tools("sh", "no-such-tool").mark
    assert mark.args == (True,)
    assert mark.kwargs["reason"] == "needs no-such-tool (Debian: no-such-tool)"
