"""The validation images of a run, found again in its folder, and the AUC on them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from finished_runs import Run
from numpy.typing import NDArray
from trees_by_hand import open_run

import mixqual
from mixqual.deploy.validation import Validation, find_validation
from mixqual.errors import RunError
from mixqual.finished_run import FinishedRun


@pytest.fixture(scope="module")
def found(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Validation:
    manifest = mixqual.export(
        plain_run.out, tmp_path_factory.mktemp("b") / "b", model="mix"
    ).manifest
    found = find_validation(FinishedRun.open(plain_run.out), manifest)
    assert found is not None
    return found


def test_they_are_those_of_the_study(plain_run: Run, found: Validation) -> None:
    images = open_run(plain_run.study, plain_run.out).sets["val"]
    assert found.images.ids == images.ids
    # 16 images: one of 17 is kept for calibrating.
    assert found.measuring == list(range(1, 16))
    clean = found.calibrating()[0]
    np.testing.assert_array_equal(clean, images.batch([0])[0].numpy().astype(np.uint8))
    assert len(found.calibrating()) == len(found.cells) == 5


def test_the_auc_is_that_of_the_definition(found: Validation) -> None:
    """Of one that is right on clean images alone: the trapezoids of a curve from 1 to 0."""
    labels_B = found.images.labels_N.numpy()[found.measuring]
    clean_BCHW = found.images.batch(found.measuring)[0].numpy().astype(np.uint8)

    def classify(images_BCHW: NDArray[np.uint8]) -> NDArray[np.int64]:
        right = np.array_equal(images_BCHW, clean_BCHW)
        return np.eye(4, dtype=np.int64)[labels_B if right else (labels_B + 1) % 4]

    assert found.auc(classify) == pytest.approx(0.25)  # levels 0, a half and 1 of the way
    assert found.auc(lambda _: np.eye(4, dtype=np.int64)[labels_B]) == pytest.approx(1)


def test_none_are_taken_that_are_gone_or_not_told_apart(
    plain_run: Run, found: Validation, tmp_path: Path
) -> None:
    manifest = mixqual.export(plain_run.out, tmp_path / "b", model="mix").manifest
    copy = shutil.copytree(plain_run.out, tmp_path / "run")
    (folder,) = (copy / "artifacts").glob("images-*")
    shutil.copytree(folder, folder.with_name("images-0"))
    (folder.with_name("images-0") / "made.json").unlink()  # it names another
    assert find_validation(FinishedRun.open(copy), manifest) is None
    shutil.rmtree(copy / "artifacts" / "images-0")
    assert find_validation(FinishedRun.open(copy), manifest) is not None
    (folder / "images.npy").write_bytes(b"")
    with pytest.raises(RunError, match=r"is damaged: its images\.npy is not what was written"):
        find_validation(FinishedRun.open(copy), manifest)
