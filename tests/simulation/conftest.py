"""One pool of processes for all episodes, crash points and hunts."""

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.pool import Pool

import pytest


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """As many processes as processors; each run is single-threaded."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count() or 1) as processes:
        yield processes
