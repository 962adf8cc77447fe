import numpy as np
import pytest
import torch
from sample_pixels import levels, pixels

from mixqual.distortions import distortion

SNOW = distortion("snow")
PALE = 0.45  # of the way to white at level 1


def black(count: int, height: int = 96, width: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(count, 1, height, width), torch.arange(count)


@pytest.mark.parametrize("level", [0.03, 0.2, 0.5, 0.9])
def test_flakes_cover_the_share_that_the_level_says(level: float) -> None:
    images_BCHW, keys_B = black(48)
    snowy_BCHW = SNOW(images_BCHW, levels(*[level] * 48), keys_B=keys_B)
    covered = (snowy_BCHW > 127.5 * PALE * level + 0.01).double().mean()
    # About 18 pixels are alike: some 500 independent places in each image.
    assert abs(float(covered) - level) < 5 * (level * (1 - level) / (48 * 500)) ** 0.5


def test_the_scene_between_the_flakes_pales() -> None:
    images_BCHW = torch.tensor([30.0, 60.0, 90.0])[None, :, None, None].repeat(1, 1, 64, 64)
    snowy_BCHW = SNOW(images_BCHW, levels(0.2))
    # Luma is 54.45, so that colours go 0.09 of the way to 1.5 * 54.45 + 127.5 = 209.175.
    expected = [30 + 0.09 * 179.175, 60 + 0.09 * 149.175, 90 + 0.09 * 119.175]
    np.testing.assert_allclose(snowy_BCHW.amin((0, 2, 3)), expected, rtol=1e-5)
    uncovered = (snowy_BCHW < snowy_BCHW.amin((2, 3), keepdim=True) + 0.01).all(1).double().mean()
    assert abs(float(uncovered) - 0.8) < 0.1


def test_at_level_one_nothing_but_snow_is_left() -> None:
    assert (SNOW(pixels((2, 3, 9, 7)), levels(1, 1)) == 255).all()


def test_white_stays_white() -> None:
    images_BCHW = torch.full((2, 3, 9, 7), 255.0)
    assert torch.equal(SNOW(images_BCHW, levels(0.1, 0.7)), images_BCHW)


def test_more_snow_makes_no_pixel_darker() -> None:
    images_BCHW, keys_B = pixels((3, 3, 40, 30), torch.float32), torch.arange(3)
    before_BCHW = images_BCHW
    for level in (0.001, 0.05, 0.051, 0.3, 0.8, 1.0):
        snowy_BCHW = SNOW(images_BCHW, levels(*[level] * 3), keys_B=keys_B)
        assert (snowy_BCHW >= before_BCHW - 1e-3).all()
        assert snowy_BCHW.mean() > before_BCHW.mean()
        before_BCHW = snowy_BCHW
    assert before_BCHW.max() <= 255


def test_traces_are_long_and_lean_the_same_way_over_an_image() -> None:
    images_BCHW, keys_B = black(12, 160, 160)
    flakes_NHW = SNOW(images_BCHW, levels(*[0.2] * 12), keys_B=keys_B)[:, 0].double().numpy()
    slopes = []
    for flakes_HW in flakes_NHW:
        flakes_HW = flakes_HW - flakes_HW.mean()

        def alike(rows: int, columns: int, field: np.ndarray = flakes_HW) -> float:
            return float((field * np.roll(field, (rows, columns), (0, 1)))[8:, 8:-8].mean())

        own = alike(0, 0)
        down = [alike(4, columns) / own for columns in range(-5, 6)]
        assert max(down) > 0.25  # four rows down, a trace goes on at one place
        assert abs(alike(0, 4)) / own < 0.15  # four columns aside, it does not
        slopes.append(int(np.argmax(down)) - 5)
    assert min(slopes) < 0 < max(slopes)
    assert all(abs(slope) <= 4 for slope in slopes)  # 45 degrees


def test_gray_snows_as_gray_colour_does() -> None:
    gray_BCHW, keys_B = pixels((2, 1, 20, 31), torch.float64), torch.tensor([4, 9])
    colour_BCHW = SNOW(gray_BCHW.repeat(1, 3, 1, 1), levels(0.2, 0.6), keys_B=keys_B)
    snowy_BCHW = SNOW(gray_BCHW, levels(0.2, 0.6), keys_B=keys_B)
    torch.testing.assert_close(colour_BCHW, snowy_BCHW.repeat(1, 3, 1, 1))


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (300, 2)])
def test_any_size_snows(shape: tuple[int, int]) -> None:
    images_BCHW, keys_B = black(200, *shape)
    snowy_BCHW = SNOW(images_BCHW, levels(*[0.5] * 200), keys_B=keys_B)
    covered = (snowy_BCHW[:, 0, 0, 0] > 127.5 * PALE * 0.5 + 0.01).double().mean()
    assert abs(float(covered) - 0.5) < 5 * 0.5 / 200**0.5
