"""Moves against NumPy's flips and turns, crops against torchvision's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from mixqual.config import TrainingConfig
from mixqual.training.augmentation import NOTHING, Augmentation, Moves

ALL = Augmentation(horizontal_flip=True, vertical_flip=True, quarter_turns=True, crop_scale=0.3)


def pictures(count: int, side: int = 8) -> torch.Tensor:
    numbers = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))
    return (numbers * 255).contiguous(memory_format=torch.channels_last)


def drawn(augmentation: Augmentation, count: int, seed: int = 0) -> Moves:
    moves = augmentation.draw(count, seed)
    assert moves is not None
    return moves


def test_flips_and_turns_are_numpys() -> None:
    images_BCHW = pictures(64)
    whole = Augmentation(horizontal_flip=True, vertical_flip=True, quarter_turns=True)
    moves = drawn(whole, 64)
    found_BCHW = moves(images_BCHW.clone(memory_format=torch.preserve_format))
    for index, image_CHW in enumerate(images_BCHW.numpy()):
        expected = np.rot90(image_CHW, int(moves.turns_B[index]), axes=(1, 2))
        expected = expected[:, :, ::-1] if moves.mirrored_B[index] else expected
        expected = expected[:, ::-1] if moves.overturned_B[index] else expected
        np.testing.assert_array_equal(found_BCHW[index].numpy(), expected)
    for kind in (moves.mirrored_B, moves.overturned_B):
        assert 16 < int(kind.sum()) < 48
    assert set(moves.turns_B.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("box", [(2, 3, 4, 6), (0, 0, 8, 8), (3, 0, 5, 2)])
def test_crops_are_torchvisions(box: tuple[int, int, int, int]) -> None:
    """But at the edges of a crop, where torchvision does not see the pixels beside it."""
    top, left, height, width = box
    image_1CHW = pictures(1)
    centre = torch.tensor([(left + width / 2) / 8, (top + height / 2) / 8])
    size = torch.tensor([width / 8, height / 8])
    still = torch.zeros(1, dtype=torch.bool)
    moves = Moves(still, still, still.long(), torch.cat([centre, size])[None])
    expected_1CHW = tv.resized_crop(image_1CHW, top, left, height, width, [8, 8], antialias=False)
    found_1CHW = moves(image_1CHW)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(found_1CHW[inner], expected_1CHW[inner], rtol=0, atol=1e-3)


@given(seed=st.integers(0, 2**40), least=st.floats(0.01, 0.99), parts=st.integers(1, 4))
def test_crops_lie_within_the_image_and_shares_are_parts(
    seed: int, least: float, parts: int
) -> None:
    augmentation = Augmentation(True, True, True, least)
    moves = drawn(augmentation, 12, seed)
    boxes_B4 = moves.boxes_B4
    assert boxes_B4 is not None
    low_B2, high_B2 = boxes_B4[:, :2] - boxes_B4[:, 2:] / 2, boxes_B4[:, :2] + boxes_B4[:, 2:] / 2
    assert bool((low_B2 >= -1e-9).all())
    assert bool((high_B2 <= 1 + 1e-9).all())
    areas_B, ratios_B = boxes_B4[:, 2] * boxes_B4[:, 3], boxes_B4[:, 2] / boxes_B4[:, 3]
    assert bool((areas_B >= least - 1e-9).all())
    assert bool((ratios_B >= 3 / 4 - 1e-9).all())
    assert bool((ratios_B <= 4 / 3 + 1e-9).all())
    images_BCHW = pictures(12)
    whole_BCHW = moves(images_BCHW.clone())
    for first in range(parts):
        share = slice(first, None, parts)
        assert torch.equal(moves.part(share)(images_BCHW[share].clone()), whole_BCHW[share])


def test_nothing_is_the_paper_and_draws_nothing() -> None:
    assert Augmentation.of(TrainingConfig()) == NOTHING
    assert NOTHING.draw(8, 0) is None


def test_the_same_seed_gives_the_same_moves() -> None:
    first, again, other = (drawn(ALL, 32, seed)(pictures(32)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
