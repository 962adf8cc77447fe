import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_pixels import levels, pixels

from mixqual.distortions import distortion

FROST = distortion("frost")
ICE = torch.tensor([214.0, 228.0, 240.0])[:, None, None]
OPACITY = 0.9


@settings(deadline=None, max_examples=20)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    level=st.floats(1e-6, 1),
    key=st.integers(-(2**63), 2**63 - 1),
)
def test_the_level_is_the_share_of_pixels_under_ice(
    height: int, width: int, level: float, key: int
) -> None:
    black_BCHW = torch.zeros(1, 1, height, width)
    icy_BCHW = FROST(black_BCHW, levels(level), keys_B=torch.tensor([key]))
    assert abs(int((icy_BCHW > 0).sum()) - level * height * width) <= 1


def test_ice_begins_at_the_borders() -> None:
    black_BCHW = torch.zeros(24, 1, 64, 64)
    icy_BHW = FROST(black_BCHW, levels(*[0.3] * 24), keys_B=torch.arange(24))[:, 0] > 0
    inner = icy_BHW[:, 16:48, 16:48].double().mean()
    outer = (icy_BHW.double().sum() - icy_BHW[:, 16:48, 16:48].double().sum()) / (24 * 3 * 32**2)
    assert outer > 2 * inner
    sides = [icy_BHW[:, :4], icy_BHW[:, -4:], icy_BHW[:, :, :4], icy_BHW[:, :, -4:]]
    assert all(side.double().mean() > 0.3 for side in sides)


def test_ice_only_grows() -> None:
    images_BCHW, keys_B = pixels((3, 3, 32, 32), torch.float64), torch.arange(3)
    gap_BCHW = (ICE - images_BCHW).abs()
    before_BCHW = gap_BCHW
    for level in (1e-6, 0.1, 0.101, 0.5, 0.9, 1.0):
        icy_BCHW = FROST(images_BCHW, levels(*[level] * 3), keys_B=keys_B)
        left_BCHW = (ICE - icy_BCHW).abs()
        assert (left_BCHW <= before_BCHW + 1e-9).all()
        assert left_BCHW.mean() < before_BCHW.mean()
        before_BCHW = left_BCHW
    # Nowhere more opaque than the thickest ice, which there is.
    assert (before_BCHW >= (1 - OPACITY) * gap_BCHW - 1e-4).all()
    assert torch.isclose(before_BCHW, (1 - OPACITY) * gap_BCHW, atol=1e-4).any()


def test_ice_melts_without_a_jump() -> None:
    images_BCHW = pixels((2, 3, 32, 32), torch.float32)
    assert (FROST(images_BCHW, levels(1e-6, 1e-6)) - images_BCHW).abs().max() < 1


def test_a_single_pixel_stays_clear() -> None:
    images_BCHW = pixels((2, 3, 1, 1), torch.float32)
    assert torch.equal(FROST(images_BCHW, levels(0.5, 1.0)), images_BCHW)


def test_gray_freezes_to_the_luma_of_ice() -> None:
    black_BCHW = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    icy_BCHW = FROST(black_BCHW, levels(1.0))
    luma = 0.299 * 214 + 0.587 * 228 + 0.114 * 240
    assert float(icy_BCHW.max()) == pytest.approx(OPACITY * luma, rel=1e-6)
