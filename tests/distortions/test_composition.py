import numpy as np
import pytest
import torch
from sample_pixels import levels, pixels

from mixqual.distortions import Composition, Distortion, Part, distortion
from mixqual.errors import DistortionError, InvalidLevelError


def camera() -> Composition:
    return Composition(
        [Part(distortion("gaussian_blur"), 4.0), Part(distortion("gaussian_noise"), 40.0)]
    )


def test_parts_are_applied_in_order_each_at_its_share() -> None:
    images_BCHW = pixels((3, 3, 16, 16))
    blur, contrast = distortion("gaussian_blur"), distortion("contrast")
    composed = Composition([Part(blur, 4.0), Part(contrast, 0.2)])
    shares = (0.25, 0.5, 1.0)
    expected_BCHW = contrast(blur(images_BCHW, levels(1.0, 2.0, 4.0)), levels(0.8, 0.6, 0.2))
    torch.testing.assert_close(composed(images_BCHW, levels(*shares)), expected_BCHW)
    reversed_BCHW = Composition([Part(contrast, 0.2), Part(blur, 4.0)])(
        images_BCHW, levels(*shares)
    )
    torch.testing.assert_close(reversed_BCHW, expected_BCHW, rtol=0, atol=1e-3)  # both are linear


def test_share_zero_is_the_identity_and_above_one_is_refused() -> None:
    images_BCHW = pixels((2, 1, 8, 8))
    assert torch.equal(camera()(images_BCHW, torch.zeros(2)), images_BCHW)
    with pytest.raises(InvalidLevelError, match=r"composition: level 1\.5 .* of the strongest"):
        camera()(images_BCHW, levels(0, 1.5))


def test_it_is_random_if_a_part_is() -> None:
    assert camera().random
    assert not Composition([Part(distortion("gaussian_blur"), 2.0)]).random


def test_two_noises_of_one_composition_differ() -> None:
    noise = Part(distortion("gaussian_noise"), 20.0)
    images_BCHW = torch.full((1, 3, 64, 64), 128.0)
    one, two = (
        Composition([noise] * count)(images_BCHW, torch.ones(1)) - images_BCHW for count in (1, 2)
    )
    second = two - one
    assert second.std().item() == pytest.approx(20, rel=0.05)
    correlation = np.corrcoef(one.flatten().numpy(), second.flatten().numpy())[0, 1]
    assert abs(correlation) < 4.5 / np.sqrt(one.numel())


def test_an_image_has_its_noise_whatever_batch_it_is_in() -> None:
    images_BCHW = pixels((4, 3, 12, 12))
    together_BCHW = camera()(images_BCHW, levels(1, 0.5, 1, 0.2), seed=7)
    alone_BCHW = camera()(images_BCHW[2:3], levels(1), seed=7)
    torch.testing.assert_close(together_BCHW[2:3], alone_BCHW, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "needs parts"),
        (
            [Part(distortion("gaussian_blur"), 1001.0)],
            r"gaussian_blur, 1001, is outside 0\.\.\.1000",
        ),
        ([Part(distortion("jpeg"), 101.0)], r"jpeg, 101, is outside 1\.\.\.100"),
    ],
)
def test_impossible_parts_are_refused(parts: list[Part], message: str) -> None:
    with pytest.raises(DistortionError, match=message):
        Composition(parts)


def test_it_may_be_a_part_itself() -> None:
    images_BCHW = pixels((1, 3, 8, 8))
    kinds: list[Distortion] = [camera(), Composition([Part(camera(), 0.5)])]
    assert kinds[1](images_BCHW, levels(1)).shape == images_BCHW.shape
