"""Functions in processes of their own, to be killed with SIGKILL as a power cut would.

They are forked from a server that has imported mixqual already, which saves seconds for each.
"""

import gc
import importlib
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["mixqual.study"])


def start(function: Callable[..., object], *arguments: Any) -> BaseProcess:
    """Call a function of a module in a new process."""
    process = _CONTEXT.Process(target=_quietly, args=(function, arguments), daemon=True)
    process.start()
    return process


def run_study(study: str, out: str, checkpoint_every: float, *earlier: str) -> None:
    """Run a study, with a checkpoint so many seconds after the last."""
    fit_module()._CHECKPOINT_EVERY = checkpoint_every  # type: ignore[attr-defined]
    importlib.import_module("mixqual.study").Study.load(study).run(Path(out), earlier)


def fit_module() -> ModuleType:
    """The module of the fit loop; its package shows the function of the same name instead."""
    return importlib.import_module("mixqual.training.fit")


def _quietly(function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    gc.freeze()  # what the server has imported is no garbage
    function(*arguments)
