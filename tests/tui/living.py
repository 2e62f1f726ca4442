"""A fabric on real files with a group that is protected, for screens that show what lives."""

from __future__ import annotations

from pathlib import Path

from srshell.fabric.sync_client import SyncFabric


def two_arrays(client: SyncFabric, place: Path, size: str) -> None:
    """Two paired arrays with the volumes of a source and a destination of that size."""
    for name in ("east", "west"):
        (place / name).mkdir()
    client.discover(place / "east", "ClusterA", site="redmond")
    client.discover(place / "west", "ClusterB", site="bellevue")
    for array in client.arrays():
        client.classify(f"{array.name}/{array.pools[0].name}", "gold")
    client.pair("ClusterA", "ClusterB")
    client.provision_pair("PV", "RV", size, logs=("PL", "RL"), log_size="16M")


def protect(client: SyncFabric) -> None:
    """PriRG protected by RecRG; its first copy waits for a refresh."""
    client.create_group("PriRG", ["PV"], "PL")
    client.create_group("RecRG", ["RV"], "RL")
    client.enable("PriRG", "RecRG")


def in_sync(client: SyncFabric, place: Path) -> None:
    """PriRG and RecRG in sync."""
    two_arrays(client, place, "8M")
    protect(client)
    client.refresh()
    client.wait("PriRG")
