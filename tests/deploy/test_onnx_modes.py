"""Modes of an ONNX file: against the same mixture run by torch. test_formats.py has trees."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from test_bundle import MANIFEST
from test_onnx_file import FACTS
from test_whole_network import BACKBONE

from mixqual.deploy import Manifest, load
from mixqual.deploy.onnx_cut import cut_names
from mixqual.deploy.onnx_file import write_onnx_file
from mixqual.deploy.onnx_graph import onnx_graph
from mixqual.deploy.onnx_modes import OnnxPartsRunner, passing_weights
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.parity import probe_batches
from mixqual.deploy.runner import CONDITIONAL, EXPERT, FULL, MODES, Mode
from mixqual.deploy.torch_runner import TorchRunner
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.networks import Gate, Mixture, Preprocessing, build_classifier
from mixqual.networks import passing_weights as passing_in_torch

EXPERTS = ("clean", "noise", "blur")
GRID = {**MANIFEST["distortions"]["gaussian_noise"], "weights": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))}
TAU = 0.3


class Made(NamedTuple):
    """A mixture of three experts that share nothing, and images that its gate tells apart."""

    manifest: Manifest
    graph: bytes
    in_torch: TorchRunner
    parts: OnnxPartsRunner
    images_BCHW: NDArray[np.uint8]


@pytest.fixture(scope="module")
def made() -> Made:
    manifest = Manifest.model_validate(
        {**MANIFEST, "experts": EXPERTS, "distortions": {"gaussian_noise": GRID}}
    )
    gate = Gate(3, Preprocessing(manifest.mean, manifest.std, "bicubic"), seed=0)
    networks = [build_classifier(BACKBONE, 2, seed) for seed in (1, 2, 3)]
    for network in networks:
        network.new_parameters()[0].data.mul_(20)
    mixture = Mixture.independent(networks, gate).eval()
    network = WholeNetwork(manifest, mixture).eval()
    graph = onnx_graph(network, example_of(manifest, "uint8"), cut_names(manifest))
    images_BCHW = np.concatenate(probe_batches(manifest))
    return Made(
        manifest,
        graph,
        TorchRunner(manifest, mixture, "cpu"),
        OnnxPartsRunner(manifest, graph, "cpu"),
        images_BCHW,
    )


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6), st.floats(0, 1))
def test_weights_pass_as_in_torch(seed: int, images: int, experts: int, tau: float) -> None:
    """Also equal ones, and a threshold that one of them is."""
    logits_BE = np.random.default_rng(seed).normal(0, 1, (images, experts)).round()
    weights_BE = torch.tensor(logits_BE, dtype=torch.float32).softmax(1)
    for threshold in (tau, weights_BE[0, -1].item()):
        found_BE = passing_weights(weights_BE.numpy(), threshold)
        expected_BE = passing_in_torch(weights_BE, threshold).numpy()
        np.testing.assert_allclose(found_BE, expected_BE, rtol=1e-6)
        np.testing.assert_array_equal(found_BE > 0, expected_BE > 0)


@pytest.mark.parametrize(
    "mode",
    [
        Mode(FULL),
        Mode(CONDITIONAL, tau=TAU),
        Mode(CONDITIONAL, tau=1.0),
        *(Mode(EXPERT, expert=name) for name in EXPERTS),
    ],
    ids=str,
)
def test_a_mode_answers_as_in_torch(made: Made, mode: Mode) -> None:
    found, expected = (runner(made.images_BCHW, mode) for runner in (made.parts, made.in_torch))
    np.testing.assert_allclose(found.p_BK, expected.p_BK, atol=1e-4)
    np.testing.assert_allclose(found.weights_BE, expected.weights_BE, atol=1e-4)
    np.testing.assert_array_equal(found.run_BE, expected.run_BE)
    if mode.tau == TAU:  # experts that run on some of the images, and not on others
        assert (found.run_BE.any(0) & ~found.run_BE.all(0)).any()
    for row in (0, 20):  # an image's answer does not depend on its batch
        alone = made.parts(made.images_BCHW[row : row + 1], mode)
        np.testing.assert_allclose(alone.p_BK[0], found.p_BK[row], atol=1e-5)


def test_a_threshold_of_zero_is_the_whole_graph(made: Made) -> None:
    whole = OnnxRunner(made.graph, "cpu")(made.images_BCHW, Mode())
    for mode in (Mode(FULL), Mode(CONDITIONAL, tau=0.0)):
        found = made.parts(made.images_BCHW, mode)
        np.testing.assert_allclose(found.p_BK, whole.p_BK, atol=1e-5)
        np.testing.assert_array_equal(found.run_BE, whole.run_BE)


def test_an_expert_that_counts_for_no_image_does_not_run(made: Made) -> None:
    """One that would answer with what is no number spoils the full mixture alone."""
    run_B = made.parts(made.images_BCHW, Mode(CONDITIONAL, tau=1.0)).run_BE
    broken = int(np.flatnonzero(run_B.any(0))[0])  # somebody's favourite
    others_BCHW = made.images_BCHW[~run_B[:, broken]]
    assert len(others_BCHW) > 0
    model = onnx.load_from_string(made.graph)
    (last,) = (
        each
        for each in model.graph.initializer
        if each.name.endswith(f"branches.{broken}.backbone.classifier.weight")
    )
    spoilt = np.full(tuple(last.dims), np.nan, np.float32)
    last.CopyFrom(numpy_helper.from_array(spoilt, last.name))
    runner = OnnxPartsRunner(made.manifest, model.SerializeToString(), "cpu")
    assert np.isnan(runner(others_BCHW, Mode(FULL)).p_BK).all()
    for mode in (Mode(CONDITIONAL, tau=1.0), Mode(EXPERT, expert=EXPERTS[broken - 1])):
        answers = runner(others_BCHW, mode)
        expected = made.parts(others_BCHW, mode)
        np.testing.assert_array_equal(answers.p_BK, expected.p_BK)
        assert not answers.run_BE[:, broken].any()


def test_a_file_says_whether_it_can_be_divided(made: Made, tmp_path: Path) -> None:
    for divisible, modes in ((True, MODES), (False, (FULL,))):
        facts = FACTS.model_copy(update={"divisible": divisible})
        path = tmp_path / f"{divisible}.onnx"
        write_onnx_file(path, made.graph, made.manifest, facts)
        predictor = load(path, "cpu")
        assert predictor._runner.modes == modes
        experts = predictor.predict_experts(made.images_BCHW[:3])
        if not divisible:
            assert experts is None
            continue
        assert experts is not None
        for name in EXPERTS:
            alone = predictor.using(expert=name).predict_pixels(made.images_BCHW[:3])
            assert [each.probabilities for each in alone] == [each[name] for each in experts]
            assert {each.experts_run for each in alone} == {(name,)}
