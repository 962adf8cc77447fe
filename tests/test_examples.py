"""The examples of a tiny study, chosen again from its own outputs by a slower way."""

import base64
import io
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from finished_runs import Run
from PIL import Image

from mixqual.runtime import set_up_machine
from mixqual.split_sweep import sweep_split
from mixqual.stages import prepare_images
from mixqual.study import Study
from mixqual.workbench import Workbench


@pytest.fixture
def examples(plain_run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((plain_run.out / "examples.json").read_text("utf-8"))
    return found


def shown(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_columns_are_the_clean_images_and_a_level_of_each_distortion(
    plain_run: Run, examples: dict[str, Any]
) -> None:
    clean, *others = examples["cells"]
    assert clean == {"distortion": "clean", "level": 0.0}
    assert [cell["distortion"] for cell in others] == ["gaussian_noise", "gaussian_blur"]
    for cell in others:
        accuracy = list(plain_run.results["accuracy"]["clean"][cell["distortion"]].values())
        levels = plain_run.results["distortions"][cell["distortion"]]["levels"]
        place = [format(level, "g") for level in levels].index(format(cell["level"], "g"))
        lost = [accuracy[0] - each for each in accuracy[1:]]
        assert lost[place - 1] >= max(lost) / 2 - 1e-5
        assert all(each < max(lost) / 2 + 1e-5 for each in lost[: place - 1])


def test_answers_are_those_of_the_sweep(plain_run: Run, examples: dict[str, Any]) -> None:
    """Counted over the class of each example, its number of right answers is the median."""
    study = Study.load(plain_run.study)
    plan, index = study.prepare()
    bench = Workbench.open(plan, plain_run.out, set_up_machine(study.config.runtime))
    sets = prepare_images(bench, index)
    cube = sweep_split(bench, sets, "test", [*plan.networks, "gate"], 0)
    ids = list(sets["test"].ids)
    by_place = {(cell.distortion, cell.level): cell for cell in cube.cells}
    for example in examples["examples"]:
        number = ids.index(example["id"])
        assert example["label"] == cube.labels_N[number]
        for place, cell in zip(examples["cells"], example["cells"], strict=True):
            outputs = by_place[place["distortion"], place["level"]]
            for name in plan.networks:
                p_K = cube.arrays[name].read(outputs)[number]
                answer = cell["answers"][name]
                assert answer["class"] == p_K.argmax()
                assert answer["confidence"] == pytest.approx(p_K.max(), abs=5e-5)
            weights = cube.arrays["gate"].read(outputs)[number]
            assert list(cell["weights"].values()) == pytest.approx(weights.tolist(), abs=5e-5)
            mixed_K = sum(
                weight * cube.arrays[name].read(outputs)[number]
                for name, weight in zip(plan.config.experts, weights, strict=True)
            )
            assert cell["answers"]["mix"]["class"] == mixed_K.argmax()


def test_one_example_of_each_class(examples: dict[str, Any]) -> None:
    assert [example["label"] for example in examples["examples"]] == [0, 1, 2, 3]
    assert len(examples["classes"]) == 4
    assert "median" in examples["examples_rule"]


def test_pixels_are_those_that_the_networks_saw(plain_run: Run, examples: dict[str, Any]) -> None:
    study = Study.load(plain_run.study)
    plan, index = study.prepare()
    bench = Workbench.open(plan, plain_run.out, set_up_machine(study.config.runtime))
    test_set = prepare_images(bench, index)["test"]
    for example in examples["examples"]:
        image_BCHW, _ = test_set.batch([list(test_set.ids).index(example["id"])])
        clean, noisy, blurred = (shown(cell["pixels"]) for cell in example["cells"])
        original = image_BCHW[0].permute(1, 2, 0).numpy()
        assert np.abs(clean - original).mean() < 8  # lossy, and small
        assert np.abs(noisy - original).mean() > 10
        level = torch.tensor([examples["cells"][2]["level"]], dtype=torch.float64)
        blur_BCHW = plan.distortions["gaussian_blur"](image_BCHW, level)
        assert np.abs(blurred - blur_BCHW[0].permute(1, 2, 0).numpy()).mean() < 8


def test_failures_are_wrong_and_the_surest_come_first(examples: dict[str, Any]) -> None:
    assert examples["failures"]
    of_cells: dict[tuple[str, float], list[float]] = {}
    for failure in examples["failures"]:
        answer = failure["answers"]["mix"]
        assert answer["class"] != failure["label"]
        place = (failure["distortion"], failure["level"])
        of_cells.setdefault(place, []).append(answer["confidence"])
    assert set(of_cells) <= {(cell["distortion"], cell["level"]) for cell in examples["cells"]}
    for sure in of_cells.values():
        assert len(sure) <= 6
        assert all(a >= b for a, b in pairwise(sure))


def test_confusions_add_up(plain_run: Run) -> None:
    results = plain_run.results
    confusion = results["confusion"]
    assert set(confusion) == set(results["models"]) - {"best_expert"}
    for model, by_distortion in confusion.items():
        for distortion, by_level in by_distortion.items():
            for level, matrix in by_level.items():
                counts = np.array(matrix)
                assert counts.sum() == results["provenance"]["images"]["test"]
                right = results["accuracy"][model][distortion][level]
                assert counts.trace() / counts.sum() == pytest.approx(right, abs=1e-6)
