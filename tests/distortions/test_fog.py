from math import log

import pytest
import torch
from sample_pixels import FORMATS, levels, pixels
from torch import Tensor

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

KEYS_2 = torch.tensor([3, 8])


def share_of_scene(level: float, **options: float) -> Tensor:
    """How much light comes through the fog before two black images: (2, 40, 56)."""
    fog = distortion("fog", airlight=200.0, **options)
    black_BCHW = torch.zeros((2, 1, 40, 56), dtype=torch.float64)
    return 1 - fog(black_BCHW, levels(level, level), keys_B=KEYS_2)[:, 0] / 200


def depth(level: float, **options: float) -> Tensor:
    return -share_of_scene(level, **options).log() / level


@pytest.mark.parametrize("level", [0.01, 0.7, 2.0, 5.0])
def test_the_level_is_the_mean_optical_depth(level: float) -> None:
    torch.testing.assert_close(
        depth(level).mean((1, 2)), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-5
    )


def test_the_depth_is_positive_patchy_and_the_same_at_all_levels() -> None:
    depth_BHW = depth(1.0)
    assert (depth_BHW > 0).all()
    assert (depth_BHW.amax((1, 2)) > 2 * depth_BHW.amin((1, 2))).all()
    torch.testing.assert_close(depth(0.1), depth_BHW, rtol=1e-5, atol=0)
    torch.testing.assert_close(depth(4.0), depth_BHW, rtol=1e-4, atol=0)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_every_channel_is_mixed_with_the_air_by_the_same_share(
    memory_format: torch.memory_format,
) -> None:
    images_BCHW = pixels((2, 3, 40, 56), torch.float64, memory_format)
    foggy_BCHW = distortion("fog", airlight=200.0)(images_BCHW, levels(0.8, 0.8), keys_B=KEYS_2)
    share_B1HW = share_of_scene(0.8)[:, None]
    torch.testing.assert_close(
        foggy_BCHW - 200, (images_BCHW - 200) * share_B1HW, rtol=0, atol=1e-9, check_stride=False
    )


def test_one_pixel_by_hand() -> None:
    # A single pixel has depth 1, and ln 2 lets half of its light through: (100 + 230) / 2.
    image_BCHW = torch.full((1, 3, 1, 1), 100.0)
    foggy_BCHW = distortion("fog")(image_BCHW, levels(log(2)))
    torch.testing.assert_close(foggy_BCHW, torch.full((1, 3, 1, 1), 165.0), rtol=0, atol=1e-4)


def test_what_has_the_colour_of_the_air_stays_and_thick_fog_hides_all() -> None:
    air_BCHW = torch.full((1, 3, 30, 20), 230.0)
    assert torch.equal(distortion("fog")(air_BCHW, levels(3)), air_BCHW)
    hidden_BCHW = distortion("fog")(pixels((4, 3, 30, 20)), levels(10, 10, 10, 10))
    assert (hidden_BCHW - 230).abs().mean() < 5
    assert distortion("fog", airlight=0.0)(air_BCHW, levels(10)).mean() < 5


def test_fog_begins_without_a_jump() -> None:
    images_BCHW = pixels((1, 3, 20, 20), torch.float64)
    change_BCHW = distortion("fog")(images_BCHW, levels(1e-6)) - images_BCHW
    assert 0 < change_BCHW.abs().max() < 1e-2


def test_a_larger_exponent_makes_softer_fog() -> None:
    steps = [depth(1.0, smoothness=k).log().diff(dim=2).pow(2).mean() for k in (0.0, 2.0, 3.0, 5.0)]
    assert steps == sorted(steps, reverse=True)
    torch.testing.assert_close(depth(1.0, smoothness=3.0), depth(1.0))


def test_pixels_that_an_unlimited_noise_moved_outside_are_taken() -> None:
    outside_BCHW = torch.tensor([-300.0, 900.0]).view(1, 1, 1, 2)
    foggy_BCHW = distortion("fog").apply(
        outside_BCHW, levels(0.5), seed=0, keys_B=torch.tensor([1])
    )
    assert torch.isfinite(foggy_BCHW).all()
    assert foggy_BCHW[0, 0, 0, 0] < 230 < foggy_BCHW[0, 0, 0, 1]


def test_fog_stays_what_it_was() -> None:
    # Other fog would make a new sweep incomparable with an old one.
    image_BCHW = torch.full((1, 1, 4, 4), 30.0)
    foggy_BCHW = distortion("fog")(image_BCHW, levels(1), seed=7, keys_B=torch.tensor([11]))
    assert foggy_BCHW[0, 0, 0].tolist() == pytest.approx(
        [133.547, 91.337, 118.460, 131.458], abs=1e-2
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smoothness": -1}, r"fog: smoothness is a number in 0\.\.\.6, not -1"),
        ({"smoothness": "high"}, r"fog: smoothness is a number in 0\.\.\.6, not 'high'"),
        ({"airlight": 256.0}, r"fog: airlight is a number in 0\.\.\.255, not 256\.0"),
        ({"airlight": float("nan")}, r"fog: airlight is a number in 0\.\.\.255, not nan"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float | str], message: str) -> None:
    with pytest.raises(DistortionError, match=message):
        distortion("fog", **options)
