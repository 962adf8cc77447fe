"""Fixtures for the tests of whole runs."""

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from ended import Command, Ended
from finished_runs import Finished, Run, run_study_file
from made_once import made_once
from small_elpv import with_trees, write_cells, write_study

from mixqual.cli import main


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: no worker is left with one when the others have ended."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What imports have made is no garbage: no collection, as after each training, looks there."""
    gc.freeze()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Networks and images are so small that more threads would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def no_memory_of_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is remembered of image files stays among the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXQUAL_CACHE", str(tmp_path_factory.mktemp("memory")))
        yield


@pytest.fixture(scope="session")
def cells_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 real solar cells of each of 4 classes; not to be changed."""
    return made_once(tmp_path_factory, "photographs", lambda root: write_cells(root / "cells", 20))


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory, cells_folder: Path) -> Run:
    """The tiny study, run without an interruption."""
    torch.set_num_threads(1)

    def make(root: Path) -> Run:
        return run_study_file(write_study(root / "tiny.toml", cells_folder), root / "out")

    return made_once(tmp_path_factory, "plain", make)


@pytest.fixture
def finished(plain_run: Run) -> Finished:
    """The study file, the folder of its uninterrupted run, and the results; not to be changed."""
    return plain_run.study, plain_run.out, plain_run.results


@pytest.fixture(scope="session")
def tree_run(tmp_path_factory: pytest.TempPathFactory, cells_folder: Path, plain_run: Run) -> Run:
    """The tiny study with trees of every kind, on the networks of the plain run."""

    def make(root: Path) -> Run:
        study = write_study(root / "tiny.toml", cells_folder, with_trees())
        return run_study_file(study, root / "out", plain_run.out)

    return made_once(tmp_path_factory, "trees", make)


@pytest.fixture
def study_file(tmp_path: Path, cells_folder: Path) -> Callable[..., Path]:
    """Write the tiny study, with some of its text changed."""

    def write(*changes: tuple[str, str], folder: Path = cells_folder) -> Path:
        return write_study(tmp_path / "tiny.toml", folder, *changes)

    return write


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the `mixqual` command with these arguments, in this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mixqual", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capfd.readouterr())

    return run
