"""What is found of two that answer differently, and on which images."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from test_bundle import MANIFEST

from mixqual.deploy import Manifest
from mixqual.deploy.onnx_file import Parity
from mixqual.deploy.parity import check_parity, parity, probe_images
from mixqual.errors import BundleError

Answered = tuple[NDArray[np.float64], NDArray[np.float64]]


def roughness(images_BCHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.abs(np.diff(images_BCHW.astype(float), axis=3)).mean((1, 2, 3))


def constant(images_BCHW: NDArray[np.uint8]) -> Answered:
    return np.full((len(images_BCHW), 2), 0.5), np.full((len(images_BCHW), 2), 0.5)


def test_differences_are_found_where_they_are() -> None:
    """One that answers differently only for rough images differs on noisy ones alone."""

    limit = 1.2 * roughness(probe_images(32).round().numpy().astype(np.uint8)).max()

    def other(images_BCHW: NDArray[np.uint8]) -> Answered:
        rough_B = roughness(images_BCHW) > limit
        p_BK, w_BE = constant(images_BCHW)
        p_BK[rough_B] += 0.25
        w_BE[0] -= 0.125
        return p_BK, w_BE

    found = parity(Manifest.model_validate(MANIFEST), constant, other)
    assert found == Parity(clean=0, distorted=0.25, weights=0.125, images=40)


def test_distorted_images_have_the_levels_of_the_manifest() -> None:
    """Noise of a manifest up to 50 grey levels, blur of the paper: seen by their roughness."""
    seen = []

    def watching(images_BCHW: NDArray[np.uint8]) -> Answered:
        seen.append(images_BCHW)
        return constant(images_BCHW)

    parity(Manifest.model_validate(MANIFEST), watching, constant)
    clean, half, whole, less_sharp, blurred = (each.astype(float) for each in seen)
    for noisy, level in ((half, 25), (whole, 50)):
        inside = (clean > 128 - 20) & (clean < 128 + 20)  # where nothing is clipped
        assert (noisy - clean)[inside].std() == pytest.approx(level, rel=0.1)
    rough = [roughness(each).mean() for each in (clean, less_sharp, blurred)]
    assert rough[0] > 2 * rough[1] > 2 * rough[2]


def test_images_look_like_photographs_and_differ() -> None:
    images_BCHW = probe_images(64)
    assert torch.equal(images_BCHW, probe_images(64))
    assert 0 <= images_BCHW.min() < 30
    assert 220 < images_BCHW.max() <= 255
    next_to = torch.corrcoef(
        torch.stack([images_BCHW[..., 1:].ravel(), images_BCHW[..., :-1].ravel()])
    )
    assert next_to[0, 1] > 0.8
    flat = images_BCHW.flatten(1)
    assert (torch.corrcoef(flat) - torch.eye(8)).abs().max() < 0.9


@pytest.mark.parametrize("where", ["clean", "distorted", "weights"])
@pytest.mark.parametrize("value", [1.1e-4, float("nan")])
def test_a_file_that_answers_differently_is_refused(where: str, value: float) -> None:
    good = {"clean": 9e-5, "distorted": 9e-5, "weights": 9e-5, "images": 40}
    check_parity(Parity.model_validate(good), "a.onnx")
    wrong = Parity.model_construct(**{**good, where: value})
    with pytest.raises(BundleError, match=r"a\.onnx would not answer as its networks do"):
        check_parity(wrong, "a.onnx")
