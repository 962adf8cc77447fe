"""Fixtures for the tests of whole runs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ended import Command, Ended
from small_elpv import write_cells, write_study

from mixqual.cli import main


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Networks and images are so small that more threads would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cells_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 real solar cells of each of 4 classes; not to be changed."""
    return write_cells(tmp_path_factory.mktemp("photographs") / "cells", 20)


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
