import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_pixels import FORMATS, pixels
from scipy import ndimage

from mixqual.distortions.displacement import displace


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 15),
    width=st.integers(1, 15),
    channels=st.sampled_from([1, 3]),
    reach=st.sampled_from([0.3, 2.0, 50.0]),
    memory_format=st.sampled_from(FORMATS),
    wide=st.booleans(),
    seed=st.integers(0, 99),
)
def test_displacement_is_that_of_scipy_also_far_beyond_the_border(
    height: int,
    width: int,
    channels: int,
    reach: float,
    memory_format: torch.memory_format,
    wide: bool,
    seed: int,
) -> None:
    dtype = torch.float64 if wide else torch.float32
    images_BCHW = pixels((2, channels, height, width), dtype, memory_format)
    generator = torch.Generator().manual_seed(seed)
    shifts_B2HW = torch.rand((2, 2, height, width), generator=generator, dtype=dtype)
    shifts_B2HW = (shifts_B2HW * 2 - 1) * reach
    moved_BCHW = displace(images_BCHW, shifts_B2HW)
    assert moved_BCHW.is_contiguous(memory_format=memory_format)
    rows, columns = np.mgrid[:height, :width].astype(float)
    for image_CHW, moved_CHW, (down_HW, right_HW) in zip(
        images_BCHW, moved_BCHW, shifts_B2HW.double().numpy(), strict=True
    ):
        for plane_HW, moved_HW in zip(image_CHW, moved_CHW, strict=True):
            expected = ndimage.map_coordinates(
                plane_HW.double().numpy(),
                [rows + down_HW, columns + right_HW],
                order=1,
                mode="reflect",
            )
            # In single precision places 50 pixels out are known to 1e-5, of 255 grey levels each.
            np.testing.assert_allclose(moved_HW.numpy(), expected, atol=1e-8 if wide else 1e-2)


@pytest.mark.parametrize(("row", "column"), [(1, 0), (0, -2), (-3, 2)])
def test_whole_shifts_move_pixels(row: int, column: int) -> None:
    images_BCHW = pixels((1, 3, 12, 14), torch.float64)
    shifts_B2HW = torch.tensor([row, column]).double()[None, :, None, None].expand(1, 2, 12, 14)
    moved_BCHW = displace(images_BCHW, shifts_B2HW)
    rolled_BCHW = images_BCHW.roll((-row, -column), (2, 3))
    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(moved_BCHW[inner], rolled_BCHW[inner], rtol=0, atol=1e-9)


def test_shifts_by_the_whole_mirrored_period_change_nothing() -> None:
    images_BCHW = pixels((1, 1, 7, 5), torch.float64)
    shifts_B2HW = torch.tensor([-28.0, 30.0]).double()[None, :, None, None].expand(1, 2, 7, 5)
    torch.testing.assert_close(displace(images_BCHW, shifts_B2HW), images_BCHW, rtol=0, atol=1e-8)
