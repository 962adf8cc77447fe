"""That the peer does the same work: damage of the same strength, and ensembles by Eqs. 2 and 3."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mixqual.bench.pictures import fractal_pictures, write_pictures
from mixqual.bench.plain import other_process
from mixqual.bench.plain_passes import plain_models, plain_transform
from mixqual.distortions import distortion
from mixqual.errors import RunError
from mixqual.fusion import average, hard_mix, mix
from mixqual.networks import Preprocessing

SIDE, LEVEL = 64, 2.5
PREPROCESSING = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.3, 0.4), "bilinear")


def grey_levels(image: Image.Image, kind: str, level: float) -> Tensor:
    """What the transform makes of an image, its normalisation undone: (1, C, H, W) in 0...255."""
    normal_CHW = plain_transform(SIDE, PREPROCESSING, kind, level)(image)
    return normal_CHW[None] * PREPROCESSING.std_tensor() + PREPROCESSING.mean_tensor()


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    pixels_HWC = fractal_pictures(1, 80)[0].permute(1, 2, 0).byte().numpy()
    return Image.fromarray(pixels_HWC)


def test_clean_images_are_resized_and_cropped(picture: Image.Image) -> None:
    """To 8/7 of the side, as 256 is of 224, and cut to its centre."""
    resized = picture.resize((73, 73), Image.Resampling.BILINEAR)
    # A margin of 9 is halved to 4 (torchvision rounds 4.5 to even) before the image.
    expected_HWC = np.asarray(resized)[4 : 4 + SIDE, 4 : 4 + SIDE]
    found_HWC = grey_levels(picture, "clean", 0.0)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found_HWC, expected_HWC, atol=1e-3)


def test_blur_is_that_of_the_level(picture: Image.Image) -> None:
    """But for the border, which torchvision mirrors without repeating the outermost pixel."""
    clean_BCHW = grey_levels(picture, "clean", 0.0).clamp(0, 255)
    ours_BCHW = distortion("gaussian_blur")(clean_BCHW, torch.tensor([LEVEL]))
    theirs_BCHW = grey_levels(picture, "gaussian_blur", LEVEL)
    inside = slice(10, -10)  # 4σ
    torch.testing.assert_close(
        theirs_BCHW[..., inside, inside], ours_BCHW[..., inside, inside], rtol=0, atol=0.1
    )
    assert (ours_BCHW - clean_BCHW).abs().max() > 5


def test_noise_has_the_deviation_of_the_level(picture: Image.Image) -> None:
    torch.manual_seed(0)
    noise_BCHW = grey_levels(picture, "gaussian_noise", 50.0) - grey_levels(picture, "clean", 0.0)
    # 12,288 numbers: the standard error of a deviation is 0.6 %, that of the mean 0.45.
    assert noise_BCHW.std().item() == pytest.approx(50, rel=0.03)
    assert abs(noise_BCHW.mean().item()) < 2


class Answering(nn.Module):
    """Logits from the mean of each image."""

    def __init__(self, weights_K: list[float]) -> None:
        super().__init__()
        self.weights_K = torch.tensor(weights_K)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return images_BCHW.mean((1, 2, 3))[:, None] * self.weights_K


class Judging(nn.Module):
    """Maps whose mean favours the first expert for dark images, and the last for bright ones."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        means_BEHW = images_BCHW.mean(1, keepdim=True)
        return torch.cat([-means_BEHW, torch.zeros_like(means_BEHW), means_BEHW], 1)


def test_models_are_those_of_the_paper() -> None:
    networks = [Answering([0.0, 1.0]), Answering([2.0, -1.0]), Answering([0.5, 4.0])]
    images_BCHW = torch.linspace(-2, 2, 9)[:, None, None, None].expand(-1, 3, 2, 2)
    p_EBK = np.stack([network(images_BCHW).softmax(1).numpy() for network in networks])
    w_BE = Judging()(images_BCHW).mean((2, 3)).softmax(1).numpy()
    assert set(w_BE.argmax(1)) >= {0, 2}
    expected = {
        "single": p_EBK[0],
        "average": average(p_EBK),
        "favourite": hard_mix(p_EBK, w_BE),
        "mixture": mix(p_EBK, w_BE),
    }
    found = plain_models(networks, Judging())
    assert found.keys() == expected.keys()
    for name, answers_BK in expected.items():
        np.testing.assert_allclose(found[name](images_BCHW).numpy(), answers_BK, atol=1e-6)


@pytest.mark.slow
def test_a_process_makes_a_pass_for_each_line_and_its_end_is_noticed(tmp_path: Path) -> None:
    files = write_pictures(tmp_path / "in", 4, (40, 40), "png")
    module, backbone = "mixqual.bench.plain_passes", "timm/test_efficientnet"
    with other_process("-m", module, str(files), backbone, "2", "32", "2", "1") as ask:
        for line in ("single clean 0", "favourite gaussian_noise 50", "mixture gaussian_blur 1"):
            ask(line)
        with pytest.raises(RunError, match="has ended"):
            ask("nonsense clean 0")
