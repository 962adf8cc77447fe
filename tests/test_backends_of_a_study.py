"""A study that goes on with another backend: the same answers, and the same areas."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from finished_runs import Run, run_study_file
from small_elpv import write_study

from mixqual.evaluation import OutputArray
from mixqual.study import Study

IMAGES, CLASSES, EXPERT = 24, 4, "noise"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["compiled", "onnxruntime"])
def test_areas_and_probabilities_are_those_of_eager_networks(
    plain_run: Run, tmp_path: Path, cells_folder: Path, backend: str
) -> None:
    """An expert, which every ensemble hears, sweeps the test images once more."""
    change = ('backend = "eager"', f'backend = "{backend}"')
    study = write_study(tmp_path / "tiny.toml", cells_folder, change)
    earlier = tmp_path / "earlier"
    shutil.copytree(plain_run.out, earlier)
    plan, _ = Study.load(study).prepare()
    folder = plan.outputs_folder(EXPERT, "test", 0)
    shutil.rmtree(earlier / "artifacts" / folder)
    found = run_study_file(study, tmp_path / "out", earlier)

    kinds = found.results["provenance"]["backends"]
    assert kinds["experts"] == sorted(["eager", backend])
    for model, areas in plain_run.results["auc"].items():
        for distortion, area in areas.items():
            again = found.results["auc"][model][distortion]["auc"]
            assert again == pytest.approx(area["auc"], abs=5e-4), (model, distortion)
    eager, other = (
        OutputArray(run.out / "artifacts" / folder, IMAGES, CLASSES) for run in (plain_run, found)
    )
    assert eager.cells == other.cells
    for cell in eager.cells:
        np.testing.assert_allclose(other.read(cell), eager.read(cell), rtol=0, atol=1e-4)
        assert eager.read(cell).std() > 1e-2  # or everything would agree with everything
