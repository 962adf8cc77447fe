"""The network that other formats hold: images of any type in, calibrated probabilities out."""

import numpy as np
import pytest
import torch
from test_bundle import MANIFEST

from mixqual.confidence import with_temperature
from mixqual.config import BackboneConfig
from mixqual.deploy import Manifest
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.networks import Gate, Mixture, Preprocessing, build_classifier

BACKBONE = BackboneConfig(name="timm/test_efficientnet", weights="random")


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    """Two experts whose answers depend on the image: their last layers are large."""
    networks = [build_classifier(BACKBONE, 2, seed) for seed in (1, 2)]
    for network in networks:
        network.new_parameters()[0].data.mul_(20)
    return Mixture.independent(
        networks, Gate(2, Preprocessing((0.5,) * 3, (0.5,) * 3, "bicubic"))
    ).eval()


def test_it_is_the_mixture_with_its_probabilities_calibrated(mixture: Mixture) -> None:
    manifest = Manifest.model_validate(MANIFEST)
    assert manifest.trust is not None
    generator = torch.Generator().manual_seed(0)
    images_BCHW = torch.randint(0, 256, (5, 3, 32, 32), generator=generator)
    with torch.inference_mode():
        plain_BK, weights_BE = mixture(images_BCHW.float())
        expected_BK = with_temperature(plain_BK.numpy(), manifest.trust.temperature)
        for dtype in (torch.uint8, torch.float32):
            network = WholeNetwork(manifest, mixture).eval()
            p_BK, w_BE = network(images_BCHW.to(dtype))
            np.testing.assert_allclose(p_BK.numpy(), expected_BK, atol=1e-6)
            torch.testing.assert_close(w_BE, weights_BE)
        untouched = WholeNetwork(manifest.model_copy(update={"trust": None}), mixture).eval()
        torch.testing.assert_close(untouched(images_BCHW)[0], plain_BK)
    assert np.abs(expected_BK - plain_BK.numpy()).max() > 0.005


def test_a_probability_of_zero_is_calibrated_too() -> None:
    """In single precision it is the floor that counts, as `with_temperature` has it."""

    class Sure(torch.nn.Module):
        def forward(self, images_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])

    manifest = Manifest.model_validate(MANIFEST)
    assert manifest.trust is not None
    p_BK, _ = WholeNetwork(manifest, Sure())(example_of(manifest, "uint8"))  # type: ignore[arg-type]
    expected_BK = with_temperature(np.array([[1.0, 0.0]]), manifest.trust.temperature)
    np.testing.assert_allclose(p_BK.numpy(), expected_BK, rtol=1e-5, atol=0)
