"""One rotten byte brings back nothing that a side was before."""

from srshell.simulation.cluster import NAMES
from srshell.simulation.loop import SimLoop
from srshell.simulation.plan import Step
from srshell.simulation.scripts import Script


async def _rot_after_a_policy(script: Script) -> None:
    """The secondary learns of ``continue``, the slot that says so rots, and it loses power."""
    await script.cluster.provide()
    await script.cluster.start()
    await script.until(script.mender.in_step)
    await script.burst(2)
    script.person.do(Step(0.0, "policy", "A", kind="continue"))
    await script.until(lambda: script.person.done)
    secondary = script.cluster.sites["B"]
    assert secondary.replica is not None
    slot = secondary.replica.core.superblock.generation % 4
    secondary.disk.image(secondary.log_path).flip(slot * (16 << 10) + 40)
    script.cluster.network.partition(*NAMES)
    secondary.power_cut()
    assert await secondary.boot()
    await script.burst(3)  # acknowledged by the primary alone
    assert not script.oracle.check_evidence(secondary)


def test_a_secondary_does_not_forget_that_its_primary_may_go_on_alone() -> None:
    """Otherwise its promotion would be said to lose nothing."""
    loop = SimLoop("rot after a policy")
    script = Script(loop, "policies", dark=False)
    loop.run_until_complete(_rot_after_a_policy(script))
    assert script.oracle.acknowledged_count == 5
    loop.close()
