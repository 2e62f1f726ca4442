"""What a wizard lets happen, and what it shows as the same command."""

from __future__ import annotations

import pytest

from srshell.fabric.calls import parse_line
from srshell.fabric.commands import COMMANDS
from srshell.model.errors import SrError
from srshell_tui import wizard as wizards
from srshell_tui.scene import couples
from srshell_tui.wizard import Stage
from tests.tui import gallery, states

COUPLE = couples(gallery.sync())[0]
SPLIT = couples(gallery.split())[0]


@pytest.mark.parametrize(
    ("wizard", "lines"),
    [
        (wizards.failover(COUPLE), ["failover PriRG --planned", "failover PriRG --unplanned"]),
        (wizards.teardown(COUPLE), ["teardown PriRG", "teardown PriRG --this-side-only"]),
        (
            wizards.resolve(SPLIT),
            ["resolve PriRG --keep ClusterA", "resolve PriRG --keep ClusterB"],
        ),
    ],
)
def test_every_way_is_a_command_line(wizard: wizards.Wizard, lines: list[str]) -> None:
    """What can be done here can be typed in a shell, word by word."""
    assert wizard.stage is Stage.CHOOSE
    assert [option.line for option in wizard.options] == lines
    for line in lines:
        assert parse_line(line).spec.name in COMMANDS


def test_a_single_way_is_planned_at_once() -> None:
    """Nobody chooses from a list of one; a suspended group is resumed by the same key."""
    assert wizards.failback(COUPLE).line == "failback PriRG"
    assert wizards.suspend_or_resume(COUPLE).line == "suspend PriRG"
    paused = couples(states.view_of(states.picture(*states.SUSPENDED)))[0]
    assert wizards.suspend_or_resume(paused).line == "resume PriRG"
    assert wizards.failback(COUPLE).stage is Stage.PLAN


def test_the_plan_asks_and_the_run_confirms() -> None:
    """The question changes nothing; the run carries the name that was typed."""
    wizard = wizards.failover(COUPLE).choose()
    assert wizard.dry_call().arguments == {"group": "PriRG", "kind": "planned", "dry_run": True}
    planned = wizard.planned(gallery.plan())
    assert planned.wanted == "RecRG"
    assert planned.command == "srshell failover PriRG --planned --confirm RecRG"
    assert planned.call().arguments["confirm"] == "RecRG"


@pytest.mark.parametrize("text", ["", "recrg", "PriRG", "RecRG x", "yes", "RecR"])
def test_only_the_very_name_runs_it(text: str) -> None:
    """No habit, no guess and no half of a name changes a role."""
    planned = wizards.failover(COUPLE).choose().planned(gallery.plan())
    assert planned.typed(text).stage is Stage.CONFIRM
    assert planned.typed(" RecRG ").stage is Stage.RUN


def test_who_accepts_a_loss_types_it() -> None:
    """The name alone is not enough where something is given up."""
    line = "failover PriRG --unplanned --accept-loss unknown"
    planned = wizards.of_line(line).planned(gallery.plan(lost_bytes=None))
    assert planned.wanted == "RecRG unknown"
    assert planned.typed("RecRG").stage is Stage.CONFIRM
    assert planned.typed("RecRG unknown").stage is Stage.RUN


def test_a_refusal_of_the_plan_is_no_failure_of_the_run() -> None:
    """Before it ran nothing has changed; afterwards something may have."""
    wizard = wizards.failover(COUPLE).choose()
    assert wizard.refused(gallery._REFUSED).stage is Stage.REFUSED
    running = wizard.planned(gallery.plan()).typed("RecRG")
    assert running.refused(gallery._REFUSED).stage is Stage.DONE


def test_volumes_for_a_pair_are_asked_for_part_by_part() -> None:
    """The answers become one line; a name with a space stays one word."""
    wizard = wizards.provision_pair(["ClusterA/PoolA", "ClusterB/PoolB"])
    for answer in ("", "My Copy", "2G", "", "", "", "", ""):
        wizard = wizard.answer(answer)
    assert wizard.stage is Stage.PLAN
    assert wizard.dry_call().method == "provision_pair"
    assert wizard.dry_call().arguments == {
        "source": "PrimaryVol",
        "destination": "My Copy",
        "size": 2 * 2**30,
        "logs": ("PrimaryLogVol", "RecoveryLogVol"),
        "log_size": 64 * 2**20,
        "on": ("ClusterA/PoolA", "ClusterB/PoolB"),
        "dry_run": True,
    }


def test_a_line_that_cannot_be_read_is_no_wizard() -> None:
    """The error is that of the shell."""
    with pytest.raises(SrError):
        wizards.of_line("failover")


def test_volumes_that_are_to_be_made_have_names_that_are_free() -> None:
    """All four with the same number, so that the plan is not refused for what nobody typed."""
    pools = ["ClusterA/PoolA", "ClusterB/PoolB"]
    wizard = wizards.provision_pair(pools, ["PrimaryVol", "RecoveryLogVol2"])
    names = [question.default for question in wizard.questions if "volume" in question.text]
    assert names == ["PrimaryVol3", "RecoveryVol3", "PrimaryLogVol3", "RecoveryLogVol3"]
