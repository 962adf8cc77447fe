import pytest
import torch
from sample_pixels import FORMATS, levels, pixels

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

over, under = distortion("exposure"), distortion("exposure", under=True)


@pytest.mark.parametrize(
    ("grey", "stops", "expected"),
    [
        (4, 1, 8),  # the straight piece of sRGB near black: grey levels are light
        (2, 2, 8),
        (10, 1, 18.0478),  # from the straight piece to the curve
        (127.5, 1, 174.888),  # 21.404 % of white's light becomes 42.808 %
        (188, 1, 255),  # just over half of white's light
        (255, 5, 255),
        (0, 10, 0),
    ],
)
def test_over_by_hand(grey: float, stops: float, expected: float) -> None:
    image_BCHW = torch.full((1, 1, 1, 1), grey, dtype=torch.float64)
    assert over(image_BCHW, levels(stops)).item() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-9)])
def test_light_on_the_curve_is_scaled_in_closed_form(
    dtype: torch.dtype, tolerance: float, memory_format: torch.memory_format
) -> None:
    # Where both greys lie on the curve, ((x + 14.025) / 269.025)^2.4, the powers cancel.
    images_BCHW = pixels((3, 3, 16, 11), dtype, memory_format).clamp_(min=40)
    stops_B = levels(0.2, 1.0, 1.6)
    gains_B111 = torch.exp2(stops_B / 2.4)[:, None, None, None]
    exact_BCHW = images_BCHW.double() + 14.025
    for kind, scaled_BCHW in ((over, exact_BCHW * gains_B111), (under, exact_BCHW / gains_B111)):
        expected_BCHW = (scaled_BCHW - 14.025).clamp(max=255).to(dtype)
        torch.testing.assert_close(
            kind(images_BCHW, stops_B), expected_BCHW, rtol=0, atol=tolerance
        )


def test_under_takes_back_what_over_did_not_burn_out() -> None:
    images_BCHW = torch.arange(0, 60, 0.25, dtype=torch.float64).view(1, 1, 12, 20)
    brighter_BCHW = over(images_BCHW, levels(3))
    assert brighter_BCHW.max() < 255
    torch.testing.assert_close(under(brighter_BCHW, levels(3)), images_BCHW, rtol=0, atol=1e-6)


def test_exposure_begins_without_a_jump_and_ends_in_white_or_black() -> None:
    images_BCHW = pixels((1, 3, 12, 12), torch.float64)
    for kind in (over, under):
        change_BCHW = kind(images_BCHW, levels(1e-5)) - images_BCHW
        assert change_BCHW.abs().max() < 1e-2
    light_BCHW = images_BCHW.clamp(min=4)
    assert torch.equal(over(light_BCHW.byte(), levels(10)), torch.full_like(light_BCHW, 255).byte())
    assert under(light_BCHW, levels(10)).max() < 4


def test_pixels_that_an_unlimited_noise_moved_outside_end_within() -> None:
    outside_BCHW = torch.tensor([-300.0, 900.0]).view(1, 1, 1, 2)
    exposed_BCHW = over.apply(outside_BCHW, levels(1), seed=0, keys_B=None)
    assert exposed_BCHW.flatten().tolist() == pytest.approx([0, 255], abs=1e-3)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_the_option_is_true_or_false(value: object) -> None:
    with pytest.raises(DistortionError, match=f"exposure: under is true or false, not {value!r}"):
        distortion("exposure", under=value)
