"""What several processes of one test session need, made by the first that asks for it."""

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What `make` returns of a folder of that name, called in this process or in another.

    A process that asks for it while another makes it waits.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own, side by side
        root = root.parent
    made = root / f"{name}.pickle"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            (root / name).mkdir()
            made.write_bytes(pickle.dumps(make(root / name)))
    found: Made = pickle.loads(made.read_bytes())
    return found
