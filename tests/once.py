"""What every test process reads and one of them makes: with two of them, dear things would be made twice."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process to ask has filled; whoever asks meanwhile waits. It is read, not written to."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.fstat(lock.fileno()).st_size:  # nobody has written yet that it is made
            folder.mkdir()
            make(folder)
            lock.write("made")
    return folder
