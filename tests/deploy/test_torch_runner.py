"""Modes of a bundle: against whole networks that are run one by one, whatever they share."""

from pathlib import Path

import numpy as np
import pytest
import torch
from finished_runs import Run
from trees_by_hand import distorted, experts_of, mixed, open_run

import mixqual
from mixqual.confidence import with_temperature
from mixqual.deploy import Predictor
from mixqual.networks import passing_weights

EXPERTS = ("clean", "noise", "blur")
SHARED_FROM = {
    "tree_blocks.2": None,
    "inverted_blocks.2": "blocks.2",
    "tree_blocks.1_inverted_conv_head_resolved": "conv_head",
}


def probabilities(predictor: Predictor, images: object) -> np.ndarray:
    found = predictor.predict_pixels(images)
    return np.array([list(each.probabilities.values()) for each in found])


@pytest.mark.parametrize("model", SHARED_FROM)
def test_every_mode_of_a_tree(tree_run: Run, tmp_path: Path, model: str) -> None:
    opened = open_run(tree_run.study, tree_run.out)
    predictor = mixqual.load(mixqual.export(tree_run.out, tmp_path / "t", model=model).path)
    images_BCHW = distorted(opened, "test", opened.bench.plan.test_cells[3])
    full = predictor.predict_pixels(images_BCHW)
    weights_BE = torch.tensor([list(each.weights.values()) for each in full])
    tau = float(weights_BE.median())  # some pass, some do not
    networks = experts_of(opened, opened.trees[model])
    kept_BE = passing_weights(weights_BE, tau)
    raw_BK = mixed(networks, SHARED_FROM[model], images_BCHW, kept_BE).numpy()
    assert predictor.manifest.trust is not None
    expected_BK = with_temperature(raw_BK, predictor.manifest.trust.temperature)
    found = predictor.using(tau=tau).predict_pixels(images_BCHW)
    p_BK = np.array([list(each.probabilities.values()) for each in found])
    np.testing.assert_allclose(p_BK, expected_BK, atol=1e-4)
    assert [each.experts_run for each in found] == [
        tuple(name for name, weight in zip(EXPERTS, row, strict=True) if weight > 0)
        for row in kept_BE.tolist()
    ]
    for name, network in zip(EXPERTS, networks, strict=True):
        with torch.inference_mode():
            alone_BK = network(images_BCHW).softmax(1).numpy()
        alone = predictor.using(expert=name).predict_pixels(images_BCHW)
        p_BK = np.array([list(each.probabilities.values()) for each in alone])
        np.testing.assert_allclose(p_BK, alone_BK, atol=1e-4)
        assert {each.experts_run for each in alone} == {(name,)}
        # The gate still tells what has happened to the image.
        assert [each.distortion.name for each in alone] == [each.distortion.name for each in full]


def test_modes_of_independent_experts(tree_run: Run, tmp_path: Path) -> None:
    opened = open_run(tree_run.study, tree_run.out)
    path = mixqual.export(tree_run.out, tmp_path / "mix", model="mix").path
    predictor = mixqual.load(path)
    assert predictor.manifest.trust is not None
    assert predictor.manifest.threshold is not None
    temperature = predictor.manifest.trust.temperature
    images_BCHW = distorted(opened, "test", opened.bench.plan.test_cells[2])
    np.testing.assert_allclose(
        probabilities(predictor.using(tau=0), images_BCHW),
        probabilities(predictor, images_BCHW),
        atol=1e-5,
    )
    chosen = mixqual.load(path, mode="conditional")
    assert chosen.mode.tau == predictor.manifest.threshold.tau
    # With a threshold of 1 the gate's favourite answers alone, calibrated like the mixture.
    weights_BE = np.array([list(f.weights.values()) for f in predictor.predict_pixels(images_BCHW)])
    favourite = predictor.using(tau=1.0).predict_pixels(images_BCHW)
    each = {name: probabilities(predictor.using(expert=name), images_BCHW) for name in EXPERTS}
    for row, found in enumerate(favourite):
        name = EXPERTS[weights_BE[row].argmax()]
        assert found.experts_run == (name,)
        calibrated_K = with_temperature(each[name][row : row + 1], temperature)
        np.testing.assert_allclose(list(found.probabilities.values()), calibrated_K[0], atol=1e-5)
        assert found.verdict is not None
    loaded = mixqual.load(path, expert="noise").predict_pixels(images_BCHW)
    assert {(f.verdict, f.experts_run) for f in loaded} == {(None, ("noise",))}


def test_pixels_may_be_arrays_of_bytes_or_numbers(tree_run: Run, tmp_path: Path) -> None:
    predictor = mixqual.load(mixqual.export(tree_run.out, tmp_path / "mix").path)
    bytes_BCHW = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), np.uint8)
    bytes_BCHW.flags.writeable = False
    expected_BK = probabilities(predictor, torch.tensor(bytes_BCHW).float())
    for form in (bytes_BCHW, bytes_BCHW.astype(np.float64), torch.tensor(bytes_BCHW)):
        np.testing.assert_allclose(probabilities(predictor, form), expected_BK, atol=1e-6)
