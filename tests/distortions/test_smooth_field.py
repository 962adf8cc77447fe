import numpy as np
import pytest
import torch

from mixqual.distortions.smooth_field import smooth_fields

# Of 3000 fields: 5 standard errors of a mean of products of two standard normal numbers.
FIELDS, TOLERANCE = 3000, 5 * (2 / 3000) ** 0.5


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    return smooth_fields(7, torch.arange(FIELDS), 9, 12, down=1.3, across=2.5).numpy()


def test_every_pixel_is_standard_normal(fields: np.ndarray) -> None:
    assert np.abs(fields.mean(0)).max() < 5 / FIELDS**0.5
    assert np.abs((fields**2).mean(0) - 1).max() < TOLERANCE
    shares_below = [(fields < height).mean() for height in (-1.2816, 0.0, 1.2816)]
    np.testing.assert_allclose(shares_below, [0.1, 0.5, 0.9], atol=0.01)


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (2, 0), (0, 4), (2, 3), (8, 11)])
def test_neighbours_are_alike_by_a_gaussian_law(
    fields: np.ndarray, rows: int, columns: int
) -> None:
    law = np.exp(-((rows / 1.3) ** 2) / 4 - (columns / 2.5) ** 2 / 4)
    first, second = fields[:, : 9 - rows, : 12 - columns], fields[:, rows:, columns:]
    assert np.abs((first * second).mean(0) - law).max() < TOLERANCE


def test_a_field_depends_on_its_key_and_the_seed_alone() -> None:
    keys_B = torch.tensor([5, -3, 2**62])
    fields_BHW = smooth_fields(1, keys_B, 20, 15, 2.0, 2.0)
    assert fields_BHW.dtype == torch.float32
    for index in range(3):
        alone_BHW = smooth_fields(1, keys_B[index : index + 1], 20, 15, 2.0, 2.0)
        assert torch.equal(alone_BHW[0], fields_BHW[index])
    assert not torch.allclose(smooth_fields(2, keys_B, 20, 15, 2.0, 2.0), fields_BHW)
    assert not torch.allclose(fields_BHW[0], fields_BHW[1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("deviation", [0.01, 1.0, 500.0])
def test_any_size_has_a_field(shape: tuple[int, int], deviation: float) -> None:
    fields_BHW = smooth_fields(0, torch.arange(400), *shape, deviation, deviation)
    assert fields_BHW.shape == (400, *shape)
    assert abs(float(fields_BHW[:, 0, 0].square().mean()) - 1) < 5 * (2 / 400) ** 0.5
