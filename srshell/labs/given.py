"""What labs begin with: arrays, twins, a group in sync, a machine that writes.

Always true: everything is made by the commands that a student would type.
"""

from __future__ import annotations

from random import Random

from srshell.labs.desk import Desk

#: Size of the log volumes where a lab is not about them; a ring of 8 MiB and its metadata.
LOG = "10M"
_WAIT_SECONDS = 60.0
_PIECE_BYTES = 64 * 1024


def arrays(desk: Desk) -> None:
    """Two arrays with classified pools, and paired."""
    for array, site in (("ClusterA", "redmond"), ("ClusterB", "bellevue")):
        place = desk.path(site)
        place.mkdir(exist_ok=True)
        desk.fabric.discover(str(place), array, site=site)
        desk.fabric.classify(f"{array}/PoolA", "gold")
    desk.fabric.pair("ClusterA", "ClusterB")


def twins(desk: Desk, size: str, log: str = LOG) -> None:
    """The four volumes of a source and a destination."""
    arrays(desk)
    desk.fabric.provision_pair(
        "PrimaryVol", "RecoveryVol", size, logs=("PrimaryLogVol", "RecoveryLogVol"), log_size=log
    )


def filled(desk: Desk, volume: str, count: int) -> None:
    """Pieces of data, here and there on a volume, that the seed decides."""
    dice, target = Random(f"data {desk.seed}"), desk.fabric.volume(volume)
    size_bytes = desk.volume(volume).size_bytes
    for place in dice.sample(range(size_bytes // _PIECE_BYTES), count):
        target.write(place * _PIECE_BYTES, dice.randbytes(_PIECE_BYTES))


def groups(desk: Desk) -> None:
    """The two groups, not protected yet."""
    desk.fabric.create_group("PriRG", ("PrimaryVol",), "PrimaryLogVol")
    desk.fabric.create_group("RecRG", ("RecoveryVol",), "RecoveryLogVol")


def protected(desk: Desk, size: str, log: str = LOG, *, pieces: int = 16) -> None:
    """A group that is in sync."""
    twins(desk, size, log)
    filled(desk, "PrimaryVol", pieces)
    groups(desk)
    desk.fabric.enable("PriRG", "RecRG")
    desk.fabric.refresh()
    desk.fabric.wait("PriRG", "Synchronizing", timeout=_WAIT_SECONDS)


def machine(desk: Desk, volume: str, *, name: str = "DemoVM", rate: int = 100) -> None:
    """A machine that writes numbered records to a volume."""
    desk.fabric.add_vm(name, volume, rate=rate)
