import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sample_pixels import FORMATS, levels, pixels
from scipy.fft import dctn, idctn
from torch import Tensor
from torchvision.io import decode_jpeg, encode_jpeg

from mixqual.distortions import distortion
from mixqual.errors import InvalidImageError

jpeg = distortion("jpeg")

QUALITIES = (100, 99, 75, 30, 5, 1)


def smooth(shape: tuple[int, int, int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    coarse_BCHW = pixels((*shape[:2], 4, 4))
    fine_BCHW = torch.nn.functional.interpolate(coarse_BCHW, shape[2:], mode="bilinear")
    return fine_BCHW.round().to(dtype)


# Steps of the coefficients of gray images at quality 50: Table K.1 of ITU-T T.81.
STEPS_88 = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


def by_the_standard(image_HW: NDArray[np.uint8], quality: int) -> NDArray[np.float64]:
    """The lossy part of JPEG alone, in exact arithmetic, for sides that 8 divides."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality  # the scale of libjpeg
    steps_88 = np.clip((STEPS_88 * percent + 50) // 100, 1, 255)
    rows, columns = (side // 8 for side in image_HW.shape)
    # Y and X: rows and columns of blocks.
    blocks_YX88 = image_HW.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3) - 128.0
    coefficients_YX88 = dctn(blocks_YX88, axes=(2, 3), norm="ortho")
    coefficients_YX88 = np.round(coefficients_YX88 / steps_88) * steps_88
    decoded_YX88 = idctn(coefficients_YX88, axes=(2, 3), norm="ortho") + 128
    decoded_HW: NDArray[np.float64] = decoded_YX88.transpose(0, 2, 1, 3).reshape(image_HW.shape)
    return decoded_HW.clip(0, 255)


@pytest.mark.parametrize("quality", [95, 75, 30, 5])
def test_gray_images_are_those_of_the_standard(quality: int) -> None:
    image_BCHW = smooth((1, 1, 64, 48), dtype=torch.uint8)
    coded_HW = jpeg(image_BCHW, levels(quality))[0, 0].numpy()
    differences_HW = np.abs(coded_HW - by_the_standard(image_BCHW[0, 0].numpy(), quality))
    # Whole numbers are up to 0.5 away, and the integers of the coder's transform add a little. A
    # coefficient midway between two steps may go to either side, and moves its block.
    assert np.quantile(differences_HW, 0.95) < 0.8


def by_torchvision(image_CHW: Tensor, quality: int) -> Tensor:
    """Another binding of the same library."""
    decoded_CHW: Tensor = decode_jpeg(encode_jpeg(image_CHW.contiguous(), quality))
    return decoded_CHW


@pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning")
@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (16, 16), (33, 50)], ids=str)
def test_images_are_those_of_torchvision_at_the_whole_quality(
    size: tuple[int, int], channels: int, memory_format: torch.memory_format
) -> None:
    # Levels of 99.6 and more are above 99.5, but only 100 is not compressed.
    wanted_B = levels(*(quality - 0.4 for quality in QUALITIES if quality > 1), 1)
    images_BCHW = smooth((len(QUALITIES), channels, *size), dtype=torch.uint8)
    coded_BCHW = jpeg(images_BCHW.contiguous(memory_format=memory_format), wanted_B)
    for image_CHW, coded_CHW, quality in zip(images_BCHW, coded_BCHW, QUALITIES, strict=True):
        assert torch.equal(coded_CHW, by_torchvision(image_CHW, quality))


def test_quality_100_compresses_below_level_100_and_does_the_least_damage() -> None:
    image_BCHW = pixels((1, 3, 32, 32))
    errors = [
        (jpeg(image_BCHW, levels(level)) - image_BCHW).pow(2).mean().item()
        for level in (100, 99.6, 99, 90, 75, 50, 25, 10, 1)
    ]
    assert errors[0] == 0
    assert errors == sorted(errors)
    assert len(set(errors)) == len(errors)


def test_pixels_are_rounded_to_8_bits_first_and_limited() -> None:
    images_BCHW = smooth((2, 3, 24, 17))
    coded_BCHW = jpeg(images_BCHW, levels(40, 80))
    moved_BCHW = (images_BCHW + 0.3).clamp(max=255)
    assert torch.equal(jpeg(moved_BCHW, levels(40, 80)), coded_BCHW)
    assert torch.equal(coded_BCHW, coded_BCHW.round())
    outside_BCHW = torch.where(images_BCHW > 250, 400.0, images_BCHW)
    expected_BCHW = jpeg(outside_BCHW.clamp(0, 255), levels(40, 80))
    free_BCHW = jpeg.apply(outside_BCHW, levels(40, 80), seed=0, keys_B=None)
    assert torch.equal(free_BCHW, expected_BCHW)


def test_constant_grey_stays_at_any_quality() -> None:
    # 128 is the zero of the transform.
    images_BCHW = torch.full((6, 3, 20, 20), 128.0)
    assert torch.equal(jpeg(images_BCHW, levels(99, 75, 30, 5, 2, 1)), images_BCHW)


def test_an_image_that_pillow_would_take_for_an_attack_is_coded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_BCHW = pixels((1, 1, 16, 16))
    expected_BCHW = jpeg(image_BCHW, levels(50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert torch.equal(jpeg(image_BCHW, levels(50)), expected_BCHW)


def test_sides_that_jpeg_cannot_store_are_refused() -> None:
    longest_BCHW = torch.zeros(1, 1, 1, 65_500)
    assert jpeg(longest_BCHW, levels(50)).shape == longest_BCHW.shape
    with pytest.raises(InvalidImageError, match=r"jpeg: .*65500 pixels .* are 1 x 65501"):
        jpeg(torch.zeros(1, 1, 1, 65_501), levels(50))
