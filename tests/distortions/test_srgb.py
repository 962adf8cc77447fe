import pytest
import torch
from sample_pixels import FORMATS, pixels

from mixqual.distortions.srgb import to_linear, to_srgb

# By hand from the definition: grey level / 255 / 12.92 up to 10, ((g / 255 + 0.055) / 1.055)^2.4
# above. 119 is the grey whose luminance style guides for the web give as 0.184.
LIGHT = {
    0: 0.0,
    1: 0.000303526984,
    10: 0.00303526984,
    11: 0.00334653576,
    119: 0.184474995,
    128: 0.215860500,
    188: 0.502886458,
    254: 0.991102097,
    255: 1.0,
}


@pytest.mark.parametrize(("grey", "light"), LIGHT.items())
def test_known_values_in_both_directions(grey: int, light: float) -> None:
    exact = torch.tensor([float(grey)], dtype=torch.float64)
    assert to_linear(exact).item() == pytest.approx(light, rel=1e-7, abs=1e-12)
    assert to_srgb(torch.tensor([light], dtype=torch.float64)).item() == pytest.approx(
        grey, abs=1e-5
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-4), (torch.float64, 1e-10)])
def test_there_and_back_is_the_same(dtype: torch.dtype, tolerance: float) -> None:
    greys = torch.arange(0, 255.25, 0.25, dtype=dtype)
    light = to_linear(greys)
    assert light.dtype == dtype
    torch.testing.assert_close(to_srgb(light), greys, rtol=0, atol=tolerance)


def test_the_curve_rises_without_a_jump_where_its_pieces_meet() -> None:
    greys = torch.linspace(10.2, 10.4, 2001, dtype=torch.float64)
    steps = to_linear(greys).diff()
    assert (steps > 0).all()
    assert steps.max() < 2 * steps.min()


def test_values_outside_are_limited() -> None:
    assert to_linear(torch.tensor([-20.0, 300.0])).tolist() == [0, 1]
    limited = to_srgb(torch.tensor([-0.5, 1.0, 7.0]))
    assert limited.tolist() == pytest.approx([0, 255, 255], abs=1e-4)
    assert limited.max() <= 255


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_the_memory_format_stays_and_the_images_are_left_alone(
    memory_format: torch.memory_format,
) -> None:
    images_BCHW = pixels((2, 3, 5, 4), memory_format=memory_format)
    before_BCHW = images_BCHW.clone()
    light_BCHW = to_linear(images_BCHW)
    light_before_BCHW = light_BCHW.clone()
    grey_BCHW = to_srgb(light_BCHW)
    assert torch.equal(images_BCHW, before_BCHW)
    assert torch.equal(light_BCHW, light_before_BCHW)
    assert light_BCHW.is_contiguous(memory_format=memory_format)
    assert grey_BCHW.is_contiguous(memory_format=memory_format)
