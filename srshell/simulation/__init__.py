"""A faked world for the shipped engine: disk, network, clock and kill, repeatable from a seed.

Always true: the engine, the files and the codec that run here are the shipped ones.  What is faked
is the event loop with its clock and executors, the system calls on files, and the sockets.
"""

from srshell.simulation.disk import SimDisk
from srshell.simulation.faults import Fault, FaultKind, Operation
from srshell.simulation.loop import Deadlock, Runaway, SimLoop, run_simulated
from srshell.simulation.network import SimHost, SimNetwork
from srshell.simulation.process import CURRENT_PROCESS, ProcessKilled, SimProcess

__all__ = [
    "CURRENT_PROCESS",
    "Deadlock",
    "Fault",
    "FaultKind",
    "Operation",
    "ProcessKilled",
    "Runaway",
    "SimDisk",
    "SimHost",
    "SimLoop",
    "SimNetwork",
    "SimProcess",
    "run_simulated",
]
