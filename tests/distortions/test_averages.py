import pytest
import torch
from sample_pixels import FORMATS, pixels

from mixqual.distortions.averages import as_averages


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_averages_get_the_format_and_at_most_the_range_of_their_own_image(
    memory_format: torch.memory_format,
) -> None:
    images_BCHW = torch.stack([torch.full((3, 4, 5), 7.0), torch.full((3, 4, 5), 250.0)])
    images_BCHW[1, 0, 0, 0] = 100
    images_BCHW = images_BCHW.contiguous(memory_format=memory_format)
    averages_BCHW = torch.full((2, 3, 4, 5), 200.0)
    averages_BCHW[1, 2] = 250.001
    limited_BCHW = as_averages(averages_BCHW, images_BCHW)
    assert limited_BCHW.is_contiguous(memory_format=memory_format)
    assert (limited_BCHW[0] == 7).all()
    assert (limited_BCHW[1, :2] == 200).all()
    assert (limited_BCHW[1, 2] == 250).all()


def test_averages_within_the_range_stay() -> None:
    images_BCHW = pixels((2, 3, 6, 5), torch.float64)
    averages_BCHW = images_BCHW.mean((2, 3), keepdim=True).expand(-1, -1, 6, 5)
    assert torch.equal(as_averages(averages_BCHW, images_BCHW), averages_BCHW)
