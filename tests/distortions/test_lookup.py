"""The option `gray`, of whatever draws numbers that differ from channel to channel."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sample_levels import LEVELS, sample_levels
from sample_pixels import DTYPES, FORMATS, pixels
from torch import Tensor

from mixqual.distortions import distortion, distortions, gray_options
from mixqual.errors import DistortionError

GRAY = [name for name in distortions() if distortion(name).gray is not None]
COLOURED = {"frost", "spatter"}
"""They have a colour of their own, on any image."""

every_gray = pytest.mark.parametrize("name", GRAY)


def of_three_channels(images_B1HW: Tensor, memory_format: torch.memory_format) -> Tensor:
    return images_B1HW.repeat(1, 3, 1, 1).contiguous(memory_format=memory_format)


def distorted(name: str, images_BCHW: Tensor, **options: Any) -> Tensor:
    """At three levels, with the keys 0 to 2."""
    levels_B = torch.tensor(sample_levels(name), dtype=torch.float64)
    return distortion(name, **options)(images_BCHW, levels_B, seed=3, keys_B=torch.arange(3))


def channels_are_equal(images_BCHW: Tensor) -> bool:
    return torch.equal(images_BCHW, images_BCHW[:, :1].expand_as(images_BCHW))


def test_what_draws_for_each_channel_has_the_option() -> None:
    """All other random ones leave a gray image gray, or have a colour."""
    images_BCHW = of_three_channels(pixels((3, 1, 33, 29)), torch.contiguous_format)
    assert GRAY
    drawing = [name for name in LEVELS if distortion(name).random]
    uneven = {name for name in drawing if not channels_are_equal(distorted(name, images_BCHW))}
    assert uneven - COLOURED == set(GRAY)


@every_gray
@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gray_does_to_three_equal_channels_what_is_done_to_one(
    name: str, dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    one_B1HW = pixels((3, 1, 33, 29), dtype)
    found_BCHW = distorted(name, of_three_channels(one_B1HW, memory_format), gray=True)
    assert channels_are_equal(found_BCHW)
    assert found_BCHW.is_contiguous(memory_format=memory_format)
    expected_B1HW = distorted(name, one_B1HW)
    assert not torch.equal(expected_B1HW, one_B1HW)
    # A last digit of the multiplication depends on where a value lies in memory.
    torch.testing.assert_close(found_BCHW[:, :1], expected_B1HW, check_stride=False)


@every_gray
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_gray_images_stay_gray(name: str, height: int, width: int, seed: int) -> None:
    images_B1HW = pixels((3, 1, height, width), seed=seed)
    images_BCHW = of_three_channels(images_B1HW, torch.channels_last)
    assert channels_are_equal(distorted(name, images_BCHW, gray=True))


@every_gray
def test_without_it_channels_are_independent(name: str) -> None:
    images_BCHW = of_three_channels(pixels((3, 1, 96, 96)), torch.contiguous_format)
    changes_BCHW = distorted(name, images_BCHW) - images_BCHW
    residues_BCHW = changes_BCHW - changes_BCHW.mean(1, keepdim=True)
    assert (residues_BCHW.std((1, 2, 3)) > 0).all()


@every_gray
def test_gray_is_set_unless_the_options_say(name: str) -> None:
    assert gray_options(name, {}) == {"gray": True}
    for said in (False, True):
        assert gray_options(name, {"gray": said}) == {"gray": said}


def test_options_of_others_stay() -> None:
    assert gray_options("gaussian_blur", {}) == {}
    assert gray_options("gaussian_noise", {"clip": True}) == {"clip": True, "gray": True}
    with pytest.raises(DistortionError, match="unknown distortion 'nois'"):
        gray_options("nois", {})


OWN = """
import torch
from mixqual.distortions import Distortion

def takes_it(images_BCHW, levels_B, gray=False):
    return images_BCHW

def means_another(images_BCHW, levels_B, gray=127):
    return images_BCHW

class Takes(Distortion):
    name, unit, worst_level = "takes", "", 1.0

    def __init__(self, gray=False):
        self.gray = gray

    def apply(self, images_BCHW, levels_B, *, seed, keys_B):
        return images_BCHW
"""


def test_a_users_own_distortion_may_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = f"own_{tmp_path.name}"
    Path(f"{module}.py").write_text(OWN)
    for attribute, expected in (
        ("takes_it", {"gray": True}),
        ("means_another", {}),
        ("Takes", {"gray": True}),
    ):
        assert gray_options(f"{module}:{attribute}", {}) == expected
