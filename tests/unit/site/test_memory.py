"""A site's threads share one heap: what one has given back, the next one uses."""

import os
import subprocess
import sys

import pytest

#: Threads of a program that allocate at once; then how many heaps lie where the C library puts
#: those of threads: at multiples of 64 MiB.
_PROGRAM = """
import ctypes, sys, threading
from srshell.site.memory import share_heap
if sys.argv[1] == "shared" and not share_heap():
    sys.exit("nobody can tell")
together = threading.Barrier(4)
def allocate():
    together.wait()
    kept = [bytes(2000) for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps") if "rw-p" in line]
print(sum(start % (64 << 20) == 0 for start in starts))
"""


def heaps_of_threads(kind: str, **environment: str) -> int:
    known = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", _PROGRAM, kind]
    ended = subprocess.run(
        command, env=known | environment, capture_output=True, text=True, check=False
    )
    if "nobody can tell" in ended.stderr:
        return -1
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.skipif(not hasattr(os, "confstr"), reason="no confstr: not the GNU C library")
def test_threads_share_one_heap() -> None:
    """A hundred groups took 144 MiB with a heap for each of many threads, 48 with one."""
    if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
        pytest.skip("not the GNU C library")
    assert heaps_of_threads("shared") == 0
    assert heaps_of_threads("as they are") > 0


def test_what_a_person_set_is_left_alone() -> None:
    """The variable is the C library's own."""
    assert heaps_of_threads("shared", MALLOC_ARENA_MAX="4") == -1
