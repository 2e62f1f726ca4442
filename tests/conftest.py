"""What holds for every test: repeatable examples, and no skip without a reason.

The run ends with a manifest of what was skipped, on the screen and in ``build/skips.json``.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import manifest, own_mounts

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "build" / "skips.json"
COMPILED = ROOT / "build" / "compiled"

#: Its tests share one stage, so one worker of a parallel run takes them all, and begins with them.
TOGETHER = "tests/process/"

# Timings are never asserted in tests, so no example has a deadline.
hypothesis.settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "soak",
    database=DirectoryBasedExampleDatabase(ROOT / "build" / "hypothesis"),
    deadline=None,
    max_examples=10_000,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Let thousands of processes find their modules compiled, whatever the environment says."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        environment.setenv("PYTHONPYCACHEPREFIX", str(COMPILED))
        yield


class SkipManifest:
    """Collects skips while the tests run; reports them when they have."""

    def __init__(self) -> None:
        self.skips: list[manifest.Skip] = []

    def _add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        self.skips.append(manifest.Skip(report.nodeid, reason.removeprefix("Skipped: ")))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that skipped itself or was skipped by a mark."""
        self._add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skipped itself as a whole."""
        self._add(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the manifest; a skip without a reason fails a run that would have passed."""
        manifest.write(MANIFEST, self.skips)
        reasonless = any(not skip.has_reason for skip in self.skips)
        if reasonless and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the manifest, one line for each reason."""
        terminalreporter.section("skip manifest")
        reasons = Counter(skip.reason for skip in self.skips)
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} skipped: {reason}")
        for skip in self.skips:
            if not skip.has_reason:
                terminalreporter.line(f"ERROR: skipped without a reason: {skip.test}", red=True)
        if not self.skips:
            terminalreporter.line("nothing was skipped")


class WholeFiles(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """Gives each worker of a parallel run whole files, whose tests share what their file made."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    """Deal out the files in the order of their tests."""
    config.option.loadscopereorder = False
    return WholeFiles(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest and mostly waits."""
    items.sort(key=lambda item: not item.nodeid.startswith(TOGETHER))


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process that reports; the workers of a parallel run are started by it."""
    if not hasattr(config, "workerinput"):
        own_mounts.take()
        config.pluginmanager.register(SkipManifest(), "skip-manifest")
