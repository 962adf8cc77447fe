import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from sample_pixels import FORMATS, pixels
from scipy import stats
from torch import Tensor

from mixqual.distortions.noise_fields import channel_by_channel, normal_fields, uniform_fields

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


def test_channels_drawn_one_at_a_time_are_equal_where_they_were_and_right_where_not() -> None:
    images_BCHW = pixels((3, 3, 7, 5))
    images_BCHW[0] = images_BCHW[0, :1]

    def drawn(part_BCHW: Tensor) -> Tensor:
        return part_BCHW + normal_fields(part_BCHW, KEYS_B, seed=1)

    found_BCHW = channel_by_channel(drawn, images_BCHW)
    for channel in range(3):
        one = slice(channel, channel + 1)
        assert torch.equal(found_BCHW[:, one], drawn(images_BCHW[:, one]))
    gray_BCHW = images_BCHW[:, :1].repeat(1, 3, 1, 1)
    gray_BCHW[:, 1:] += 2e-5  # as the last digits of a sum of colours
    expected_BCHW = found_BCHW[:, :1].expand(-1, 3, -1, -1)
    assert torch.equal(channel_by_channel(drawn, gray_BCHW), expected_BCHW)


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


@every_kind
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("inference", [True, False])
def test_images_that_threads_share_get_the_numbers_they_get_alone(
    fields: Fields, law: str, inference: bool
) -> None:
    images_BCHW, keys_B = pixels((7, 3, 80, 80)), torch.arange(7)
    with torch.inference_mode(inference):
        for threads in (1, 2, 3, 16):
            torch.set_num_threads(threads)
            shared_BCHW = fields(images_BCHW, keys_B, seed=4)
            for number in range(7):
                alone_1CHW = fields(images_BCHW[:1], keys_B[number : number + 1], seed=4)
                assert torch.equal(shared_BCHW[number : number + 1], alone_1CHW)


_IN_A_FORK = """
import os, torch
from mixqual.distortions.noise_fields import normal_fields
torch.set_num_threads(2)
images_BCHW, keys_B = torch.zeros(4, 3, 200, 200), torch.arange(4)
expected = normal_fields(images_BCHW, keys_B, seed=1).numpy().tobytes()
child = os.fork()
if child == 0:  # where PyTorch's own threads cannot be used
    found = normal_fields(images_BCHW, keys_B, seed=1).numpy().tobytes()
    os._exit(0 if found == expected else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_draws_with_threads_of_its_own() -> None:
    command = [sys.executable, "-W", "ignore", "-c", _IN_A_FORK]
    assert subprocess.run(command, timeout=60).returncode == 0
