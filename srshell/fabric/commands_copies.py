"""Commands of the copies between arrays: who copies, and what all of them may take.

Always true: what one group may take is set with the group; here is what holds for all.
"""

from __future__ import annotations

from srshell.fabric.command_parts import word
from srshell.fabric.command_spec import CommandSpec, Effect, Role

COPIES = (
    CommandSpec(
        "copies",
        "copies",
        "List the copies, how they share the rate, and how far they are",
        "srshell copies",
        role=Role.VIEWER,
    ),
    CommandSpec(
        "copies set",
        "set_copy_rate",
        "Say what all copies out of a site may take together",
        "srshell copies set 100M",
        Effect.CHANGES,
        (word("rate", "bytes a second, such as 100M; or unlimited", metavar="RATE"),),
        role=Role.ADMIN,
    ),
)
