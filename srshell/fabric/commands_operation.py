"""Commands that work with protected groups: steps 9 to 11 of the article, and looking after them.

Always true: each row is one verb of the session, or a process of its own when it names no method.
"""

from __future__ import annotations

from srshell.fabric.command_parts import (
    choice,
    flag,
    option,
    optional_word,
    options,
    rest,
    word,
)
from srshell.fabric.command_spec import Argument, CommandSpec, Effect, Kind, Noun, Role

MACHINES = (
    CommandSpec(
        "vm add",
        "add_vm",
        "Run a machine on a volume of a primary group",
        "srshell vm add DemoVM --volume PrimaryVol",
        Effect.CHANGES,
        (
            word("name", "name of the machine", metavar="NAME"),
            option("--volume", "its volume", Noun.VOLUME, required=True),
            choice("--kind", "what runs", ("writer",), "writer"),
            option("--rate", "records per second; 0: as fast as it can", kind=Kind.NUMBER),
        ),
        cmdlet="New-SCVirtualMachine",
        step=9,
        short_names=("addvm",),
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "vm rm",
        "remove_vm",
        "Stop a machine and remove it; its data stays",
        "srshell vm rm DemoVM",
        Effect.CHANGES,
        (word("name", "the machine", Noun.MACHINE),),
        cmdlet="Remove-SCVirtualMachine",
        step=10,
        short_names=("rmvm",),
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "vm check",
        "check_vm",
        "Read back every record that a machine had acknowledged",
        "srshell vm check DemoVM",
        arguments=(
            word("name", "the machine", Noun.MACHINE),
            option("--volume", "look in this volume; its own when not given", Noun.VOLUME),
        ),
        step=9,
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "vms",
        "vms",
        "List the machines",
        "srshell vms",
        cmdlet="Get-SCVirtualMachine",
        role=Role.VIEWER,
    ),
    CommandSpec(
        "nbd",
        "nbd",
        "Serve a volume over NBD and print its address",
        "srshell nbd PrimaryVol",
        Effect.CHANGES,
        (
            word("volume", "the volume", Noun.VOLUME),
            flag("--off", "serve it no longer", target="on", constant=False),
        ),
        step=9,
        role=Role.OPERATOR,
    ),
)

ROLES = (
    CommandSpec(
        "prepare",
        "prepare",
        "Drain and seal the primary: the first step of a planned failover",
        "srshell prepare PriRG",
        Effect.CHANGES,
        (word("group", "either group", Noun.GROUP),),
        cmdlet="Set-SCReplicationGroup -Operation PrepareForFailover",
        step=10,
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "failover",
        "failover",
        "Make the other side primary",
        "srshell failover PriRG --planned --confirm RecRG",
        Effect.DESTROYS,
        (
            word("group", "either group", Noun.GROUP),
            flag(
                "--planned",
                "both sides are there; nothing can be lost",
                target="kind",
                constant="planned",
            ),
            flag("--unplanned", "the primary is gone", target="kind", constant="unplanned"),
            flag("--test", "not available; see the plan instead", target="kind", constant="test"),
            option(
                "--accept-loss", "what may be lost: a size, or unknown", metavar="BYTES|unknown"
            ),
            flag(
                "--no-reprotect",
                "do not protect the new primary by the old one",
                target="reprotect",
                constant=False,
            ),
        ),
        cmdlet="Set-SCReplicationGroup -Operation Failover",
        step=10,
        confirms="the group that becomes primary",
        role=Role.ADMIN,
    ),
    CommandSpec(
        "failback",
        "failback",
        "Bring the first primary in step and make it primary again",
        "srshell failback RecRG --confirm PriRG",
        Effect.DESTROYS,
        (
            word("group", "either group", Noun.GROUP),
            option("--target", "the partner, as the original asks for it", Noun.GROUP),
        ),
        cmdlet="Set-SCReplicationGroup -Operation ReverseRoles",
        step=11,
        confirms="the group that becomes primary",
        role=Role.ADMIN,
    ),
    CommandSpec(
        "suspend",
        "suspend",
        "Pause replication of a group; its writes are logged",
        "srshell suspend PriRG",
        Effect.CHANGES,
        (word("group", "either group", Noun.GROUP),),
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "resume",
        "resume",
        "Go on after suspend or prepare, or without the peer",
        "srshell resume PriRG",
        Effect.CHANGES,
        (
            word("group", "either group", Noun.GROUP),
            flag("--alone", "acknowledge writes without the peer", role=Role.ADMIN),
            option("--accept-loss", "what the peer may lack: unknown", metavar="unknown"),
        ),
        confirms="the array that goes on alone",
        role=Role.OPERATOR,
    ),
    CommandSpec(
        "resolve",
        "resolve",
        "End a split brain: keep one side, save the other one as a branch",
        "srshell resolve PriRG --keep ClusterA --confirm ClusterB",
        Effect.DESTROYS,
        (
            word("group", "either group", Noun.GROUP),
            option("--keep", "the array whose writes stay", Noun.ARRAY, required=True),
            option(
                "--keep-days",
                "for how long the other side's volumes are kept as a branch; 30",
                kind=Kind.NUMBER,
            ),
        ),
        confirms="the array that loses",
        role=Role.ADMIN,
    ),
    CommandSpec(
        "teardown",
        "teardown",
        "Stop replication on both sides; the data stays",
        "srshell teardown PriRG --confirm PriRG",
        Effect.DESTROYS,
        (
            word("group", "either group", Noun.GROUP),
            flag("--this-side-only", "tear down the side of the named group alone"),
        ),
        cmdlet="Set-SCReplicationGroup -Operation TearDown",
        confirms="the group that loses its protection",
        role=Role.ADMIN,
    ),
    CommandSpec(
        "restart",
        "restart",
        "Start the site of an array again, and release it if it is held",
        "srshell restart ClusterA",
        Effect.CHANGES,
        (word("array", "the array", Noun.ARRAY),),
        role=Role.OPERATOR,
    ),
)

WATCHING = (
    CommandSpec(
        "events",
        "events",
        "List what happened",
        "srshell events --since 5m",
        arguments=(
            option("--since", "at most this old", kind=Kind.SECONDS),
            choice("--level", "at least this important", ("info", "warning", "error"), None),
            option("--object", "about this object", Noun.OBJECT, name="about"),
            option("--limit", "at most this many, the newest", kind=Kind.NUMBER),
        ),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "jobs", "jobs", "List the jobs and how far they are", "srshell jobs", role=Role.VIEWER
    ),
    CommandSpec(
        "job",
        "job",
        "Show one job, wait for it, or cancel it",
        "srshell job 17 --wait",
        Effect.WATCHES,
        (
            Argument("number", "number of the job", noun=Noun.JOB, kind=Kind.NUMBER, metavar="ID"),
            flag("--wait", "wait until it has ended", name="ended"),
            flag("--cancel", "ask it to stop at a safe point", role=Role.OPERATOR),
        ),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "info", "info", "Show the fabric, its owner and its sites", "srshell info", role=Role.VIEWER
    ),
    CommandSpec(
        "why",
        "why",
        "Say what led to the state of an object",
        "srshell why PriRG",
        arguments=(word("name", "a group, array, volume or machine", Noun.OBJECT),),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "explain",
        "explain",
        "Explain a code",
        "srshell explain SR6004",
        arguments=(word("code", "such as SR6004", Noun.CODE),),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "fault",
        "fault",
        "Break something on purpose; sandboxes only",
        "srshell fault site crash ClusterA",
        Effect.CHANGES,
        (
            Argument("part", "what breaks", choices=("link", "site", "disk", "owner")),
            word("kind", "how it breaks", metavar="HOW"),
            optional_word("array", "where", Noun.ARRAY),
            option("--for", "how long", kind=Kind.SECONDS, name="seconds", metavar="SECONDS"),
        ),
        role=Role.ADMIN,
    ),
)

PROCESSES = (
    CommandSpec(
        "serve",
        "",
        "Own the fabric until it is stopped; other commands start this by themselves",
        "srshell serve",
        Effect.RUNS,
        (
            flag("--rebuild", "make the catalogue anew from the labels in the pools"),
            Argument(
                "pools",
                "with --rebuild: places that hold pools of this fabric",
                flags=("--pool",),
                noun=Noun.PLACE,
                required=False,
                many=True,
            ),
            flag("--detached", "run without a terminal, in a session of its own"),
            option("--ready-fd", "where to say that it answers", kind=Kind.NUMBER),
            flag("--sandbox", "a fabric to break: faults may be injected"),
            choice("--profile", "rules to keep", ("native", "seed-strict"), None),
            choice(
                "--commit",
                "where sites that it starts commit to their logs: a thread, or the loop itself",
                ("thread", "direct"),
                "thread",
            ),
            option("--share", "a second socket, for others", Noun.PLACE, metavar="SOCKET"),
            options("--viewer-group", "groups that may look", name="viewer_groups"),
            options("--operator-group", "groups that may operate", name="operator_groups"),
            option("--token-file", "a file of lines ROLE TOKEN", Noun.PLACE, metavar="FILE"),
        ),
        role=Role.ADMIN,
    ),
    CommandSpec("stop", "", "Stop the owner and its sites", "srshell stop", Effect.RUNS,
                (flag("--keep-sites", "let the sites replicate on"),), role=Role.ADMIN),
    CommandSpec(
        "plan",
        "",
        "Show what a command would do, and change nothing",
        "srshell plan failover PriRG --planned",
        Effect.RUNS,
        (rest("command", "the command with its arguments", Noun.COMMAND),),
        role=Role.VIEWER,
    ),
    CommandSpec(
        "demo",
        "",
        "The whole way once, on real files, in a fabric of its own",
        "srshell demo",
        Effect.RUNS,
        (
            option("--image", "a disk image to replicate", Noun.PLACE),
            flag("--keep", "leave the files behind"),
        ),
        role=Role.ADMIN,
    ),
    CommandSpec("shell", "", "IPython with the commands loaded", "srshell shell", Effect.RUNS,
                role=Role.VIEWER),
    CommandSpec("bench", "", "Measure beside the smallest program", "srshell bench", Effect.RUNS,
                role=Role.ADMIN),
    CommandSpec("site", "", "Serve one array; started by the owner", "srshell site", Effect.RUNS,
                (rest("rest", "arguments of the site"),), hidden=True, role=Role.ADMIN),
    CommandSpec("writer", "", "Write numbered records; started by the owner", "srshell writer",
                Effect.RUNS, (rest("rest", "arguments of the writer"),),
                hidden=True, role=Role.ADMIN),
)  # fmt: skip
