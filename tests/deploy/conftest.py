"""Files of ONNX for the tests of this folder: each takes seconds to make."""

from collections.abc import Callable

import pytest
from finished_runs import Run
from made_once import made_once

import mixqual
from mixqual.deploy.export import Exported


@pytest.fixture(scope="session")
def in_onnx(tmp_path_factory: pytest.TempPathFactory, tree_run: Run) -> Callable[[str], Exported]:
    """A mixture of the run with trees, by its name; the file is not to be changed."""

    def exported(model: str) -> Exported:
        return made_once(
            tmp_path_factory,
            f"onnx-{model}",
            lambda folder: mixqual.export(tree_run.out, folder / "b.onnx", model=model),
        )

    return exported
