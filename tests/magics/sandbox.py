"""A fabric of its own for a real shell, and the article's steps as they are typed."""

import os
import subprocess
import sys
from pathlib import Path

import attrs

#: Cell, and what it shows: the article's way from two directories to a tear-down.
SETUP = (
    ("%identify east west", "a good pair"),
    ("%discover east --as ClusterA --site redmond", "↳ array ClusterA at redmond"),
    ("%discover west --as ClusterB --site bellevue", "↳ array ClusterB at bellevue"),
    ("%classify ClusterA/PoolA gold", "gold"),
    ("%classify ClusterB/PoolA gold", "gold"),
    ("logs = '--logs', 'PrimaryLogVol', 'RecoveryLogVol'", ""),
    ("%pair ClusterA ClusterB", "↳ ClusterA and ClusterB are paired"),
    ("%provision PrimaryVol RecoveryVol --size 8M --log-size 16M {logs}", "↳ 4 volumes made"),
    ("%group PriRG --data PrimaryVol --log PrimaryLogVol", "↳ group PriRG"),
    ("%group RecRG --data RecoveryVol --log RecoveryLogVol", "↳ group RecRG"),
    ("rg = %group PriRG", ""),
    ("%enable $rg RecRG", "↳ PriRG is protected by RecRG"),
)
PROTECTION = (
    ("%refresh --all", "the first copy began: PriRG"),
    ("%wait PriRG --until Synchronizing", "failover ready: yes"),
    ("%verify PriRG", "both sides are equal"),
    ("%addvm DemoVM --volume PrimaryVol --rate 0", "↳ machine DemoVM on PrimaryVol"),
    ("%nbd PrimaryVol", "nbd+unix:///PrimaryVol"),
    ("%rmvm DemoVM", "stopped"),
    ("%failover PriRG --planned -n", "nothing has changed"),
    ("change = %failover PriRG --planned --confirm RecRG", "↳ RecRG is primary (epoch 2)"),
    ("(change.lost_bytes, change.new_primary)", "(0, 'RecRG')"),
    ("%wait RecRG --until Synchronizing", "failover ready: yes"),
    ("%vm check DemoVM --volume RecoveryVol", "nothing is missing"),
)
RETURN = (
    ("%failback RecRG --confirm PriRG", "↳ PriRG is primary"),
    ("%wait PriRG --until Synchronizing", "failover ready: yes"),
    ("s = %status PriRG", ""),
    ("[(g.name, g.rpo_seconds) for g in s if g.is_primary]", "[('PriRG', 0.0)]"),
)
TEARDOWN = (("%teardown PriRG --confirm PriRG", "↳ torn down: PriRG, RecRG"),)


@attrs.frozen
class Sandbox:
    """A directory with two places for arrays, and the environment in which its fabric is meant."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> "Sandbox":
        """Make the places."""
        for name in ("east", "west", "home"):
            (directory / name).mkdir()
        return cls(directory)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a shell in this sandbox."""
        return {
            **os.environ,
            "HOME": str(self.directory / "home"),
            "IPYTHONDIR": str(self.directory / "home" / "ipython"),
            "SRSHELL_FABRIC": str(self.directory / "fabric"),
            "COLUMNS": "200",
            "TERM": "xterm",
        }

    def srshell(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command line of the fabric."""
        return subprocess.run(
            [sys.executable, "-m", "srshell", *words],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
