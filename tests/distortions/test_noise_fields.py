from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from sample_pixels import FORMATS, pixels
from scipy import stats
from torch import Tensor

from mixqual.distortions.noise_fields import normal_fields, uniform_fields

KEYS_B = torch.tensor([5, -6, 2**62])
KINDS = {"normal": (normal_fields, "norm"), "uniform": (uniform_fields, "uniform")}
every_kind = pytest.mark.parametrize(("fields", "law"), KINDS.values(), ids=KINDS)

Fields = Callable[..., Tensor]


@every_kind
def test_numbers_follow_their_law_and_channels_are_independent(fields: Fields, law: str) -> None:
    drawn_BCHW = fields(pixels((3, 3, 96, 96)), KEYS_B, seed=1).double()
    planes_PX = drawn_BCHW.flatten(0, 1).flatten(1).numpy()
    for plane_X in planes_PX:
        assert stats.kstest(plane_X, law).pvalue > 1e-4
    correlations_PP = np.corrcoef(planes_PX) - np.eye(len(planes_PX))
    assert np.abs(correlations_PP).max() < 4.5 / np.sqrt(planes_PX.shape[1])


@every_kind
def test_a_field_depends_on_seed_and_key_only(fields: Fields, law: str) -> None:
    whole_BCHW = fields(pixels((3, 3, 7, 5)), KEYS_B, seed=1)
    for memory_format in FORMATS:
        images_BCHW = pixels((1, 3, 7, 5), torch.float64, memory_format, seed=9)
        assert torch.equal(fields(images_BCHW, KEYS_B[1:2], seed=1), whole_BCHW[1:2])
    assert not torch.equal(fields(pixels((3, 3, 7, 5)), KEYS_B, seed=2), whole_BCHW)
    assert not torch.equal(whole_BCHW[0], whole_BCHW[1])


@every_kind
def test_a_gray_field_has_one_channel(fields: Fields, law: str) -> None:
    gray_BCHW = fields(pixels((3, 3, 7, 5)), KEYS_B, seed=1, gray=True)
    assert torch.equal(gray_BCHW, fields(pixels((3, 1, 7, 5)), KEYS_B, seed=1))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@every_kind
@pytest.mark.usefixtures("threads")
def test_a_field_does_not_depend_on_the_number_of_threads(fields: Fields, law: str) -> None:
    images_BCHW = pixels((1, 3, 200, 200))  # more than PyTorch's grain of 32,768 numbers
    torch.set_num_threads(1)
    alone_BCHW = fields(images_BCHW, KEYS_B[:1], seed=3)
    torch.set_num_threads(3)
    assert torch.equal(fields(images_BCHW, KEYS_B[:1], seed=3), alone_BCHW)
