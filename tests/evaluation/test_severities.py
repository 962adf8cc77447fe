import pytest
import torch

from mixqual.distortions import distortion
from mixqual.errors import InvalidLevelError
from mixqual.evaluation.severities import Severities

STEPS = [
    (distortion("gaussian_noise", clip=True), 20.0),
    (distortion("gaussian_noise", gray=True), 60.0),
    (distortion("gaussian_blur"), 1.5),
]
IMAGES_BCHW = torch.rand(5, 3, 9, 7, generator=torch.Generator().manual_seed(0)) * 255


def test_each_image_is_distorted_as_its_step_says() -> None:
    kind = Severities("steps", STEPS)
    levels_B = torch.tensor([3.0, 1.0, 0.0, 2.0, 1.0])
    result_BCHW = kind(IMAGES_BCHW, levels_B, seed=7)
    assert torch.equal(result_BCHW[2], IMAGES_BCHW[2])
    for image, step in enumerate([3, 1, 0, 2, 1]):
        if step:
            own, level = STEPS[step - 1]
            alone_1CHW = own(IMAGES_BCHW[image : image + 1], torch.tensor([level]), seed=7)
            torch.testing.assert_close(result_BCHW[image], alone_1CHW[0], rtol=0, atol=1e-4)


def test_says_what_its_levels_are() -> None:
    kind = Severities("steps", STEPS)
    assert (kind.name, kind.quantity, kind.unit) == ("steps", "severity", "of 3")
    assert kind.worst_level == 3
    assert kind.random
    assert not Severities("blur", STEPS[2:]).random


@pytest.mark.parametrize("level", [0.5, 2.999, 4.0, -1.0])
def test_refuses_what_is_no_step(level: float) -> None:
    with pytest.raises(InvalidLevelError, match="steps: "):
        Severities("steps", STEPS)(IMAGES_BCHW, torch.full((5,), level))
