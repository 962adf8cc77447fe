import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_pixels import FORMATS, pixels
from scipy import stats

from mixqual.distortions import Assignment, Schedule, distort, distortion

MAXIMA = {"gaussian_noise": 100.0, "gaussian_blur": 10.0}
RANGES = {name: (0.0, highest) for name, highest in MAXIMA.items()}
ALL = Schedule({"gaussian_noise": 0.25, "gaussian_blur": 0.25}, RANGES)
NOISE = Schedule({"gaussian_noise": 0.5}, RANGES)
KINDS = {name: distortion(name) for name in MAXIMA}


# Counts


def test_half_of_the_papers_mini_batch_is_distorted() -> None:
    assert NOISE.counts(32) == {"gaussian_noise": 16, "gaussian_blur": 0}
    assert ALL.counts(32) == {"gaussian_noise": 8, "gaussian_blur": 8}
    for seed in range(20):
        assert Counter(NOISE.draw(32, seed).kinds_B.tolist()) == {0: 16, -1: 16}
        assert Counter(ALL.draw(32, seed).kinds_B.tolist()) == {0: 8, 1: 8, -1: 16}


@pytest.mark.parametrize(
    ("fractions", "batch", "expected"),
    [
        ({"a": 0.1, "b": 0.2}, 10, {"a": 1, "b": 2}),  # 0.1 + 0.2 is not 0.3
        ({"a": 0.1, "b": 0.2, "c": 0.7}, 10, {"a": 1, "b": 2, "c": 7}),
        ({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, 9, {"a": 3, "b": 3, "c": 3}),
        ({"a": 1.0}, 7, {"a": 7}),
        ({}, 7, {"a": 0}),
        ({"a": 0.25, "b": 0.25}, 3, {"a": 1, "b": 1}),  # shares 0.75, 0.75 and 1.5
        ({"a": 0.4}, 1, {"a": 0}),
        ({"a": 0.6}, 1, {"a": 1}),
        ({"a": 0.5}, 0, {"a": 0}),
    ],
)
def test_counts_by_hand(fractions: dict[str, float], batch: int, expected: dict[str, int]) -> None:
    assert Schedule(fractions, dict.fromkeys(expected, (0.0, 1.0))).counts(batch) == expected


@settings(deadline=None, max_examples=300)
@given(
    parts=st.lists(st.integers(1, 1000), min_size=1, max_size=6),
    clean=st.integers(0, 1000),
    batch=st.integers(0, 300),
)
def test_counts_are_those_of_the_largest_remainders(
    parts: list[int], clean: int, batch: int
) -> None:
    whole = sum(parts) + clean
    fractions = {f"d{index}": part / whole for index, part in enumerate(parts)}
    counts = Schedule(fractions, dict.fromkeys(fractions, (0.0, 1.0))).counts(batch)
    assert list(counts) == list(fractions)
    given_out = [*counts.values(), batch - sum(counts.values())]
    # In whole numbers: the share of a part is batch * part / whole.
    shares = [divmod(batch * part, whole) for part in (*parts, clean)]
    assert all(count - floor in (0, 1) for count, (floor, _) in zip(given_out, shares, strict=True))
    extra = [(count - floor, rest) for count, (floor, rest) in zip(given_out, shares, strict=True)]
    raised = [rest for more, rest in extra if more]
    kept = [rest for more, rest in extra if not more]
    assert all(rest > 0 for rest in raised)
    assert not raised or not kept or min(raised) >= max(kept)


# Draws


@settings(deadline=None, max_examples=50)
@given(batch=st.integers(0, 80), seed=st.integers(0, 2**63 - 1))
def test_levels_lie_within_the_range_of_their_distortion(batch: int, seed: int) -> None:
    drawn = ALL.draw(batch, seed)
    assert drawn.kinds_B.dtype == torch.int64
    assert drawn.levels_B.dtype == torch.float64
    assert len(drawn.kinds_B) == len(drawn.levels_B) == batch
    assert (drawn.levels_B[drawn.kinds_B == -1] == 0).all()
    for index, highest in enumerate(MAXIMA.values()):
        levels_B = drawn.levels_B[drawn.kinds_B == index]
        assert ((levels_B > 0) & (levels_B < highest)).all()
    assert Counter(drawn.kinds_B.tolist()) == Counter(
        {0: (counts := ALL.counts(batch))["gaussian_noise"], 1: counts["gaussian_blur"]}
        | {-1: batch - sum(counts.values())}
    )


def test_a_seed_gives_one_assignment_and_seeds_give_different_ones() -> None:
    first, again, other = ALL.draw(32, 5), ALL.draw(32, 5), ALL.draw(32, 6)
    assert torch.equal(first.kinds_B, again.kinds_B)
    assert torch.equal(first.levels_B, again.levels_B)
    assert not torch.equal(first.kinds_B, other.kinds_B)
    assert not torch.equal(first.levels_B, other.levels_B)


def test_every_position_is_equally_likely_to_be_distorted() -> None:
    draws = 1000
    kinds_DB = torch.stack([ALL.draw(8, seed).kinds_B for seed in range(draws)])
    for kind, chance in ((0, 0.25), (1, 0.25), (-1, 0.5)):
        frequency_B = (kinds_DB == kind).double().mean(0)
        error = math.sqrt(chance * (1 - chance) / draws)
        assert ((frequency_B - chance).abs() < 4.5 * error).all()


def test_levels_are_uniform() -> None:
    drawn = ALL.draw(20_000, 0)
    for index, highest in enumerate(MAXIMA.values()):
        levels_B = drawn.levels_B[drawn.kinds_B == index].numpy() / highest
        assert stats.kstest(levels_B, "uniform").pvalue > 1e-3
    # Nor does a level depend on its place in the batch.
    noisy = np.flatnonzero(drawn.kinds_B == 0)
    assert stats.spearmanr(noisy, drawn.levels_B[noisy]).pvalue > 1e-3


def test_levels_may_fall_from_the_clean_one() -> None:
    up = Schedule({"gaussian_noise": 0.5}, {"gaussian_noise": (0.0, 90.0)}).draw(64, 0)
    down = Schedule({"jpeg": 0.5}, {"jpeg": (100.0, 10.0)}).draw(64, 0)
    assert torch.equal(down.kinds_B, up.kinds_B)
    distorted_B = up.kinds_B >= 0
    torch.testing.assert_close(down.levels_B[distorted_B], 100 - up.levels_B[distorted_B])
    assert (down.levels_B[~distorted_B] == 0).all()


def test_a_part_of_an_assignment_keeps_each_images_own() -> None:
    drawn = ALL.draw(32, 0)
    parts = [drawn.part(slice(first, None, 3)) for first in range(3)]
    for first, part in enumerate(parts):
        assert part.kinds_B.tolist() == drawn.kinds_B.tolist()[first::3]
        assert part.levels_B.tolist() == drawn.levels_B.tolist()[first::3]


# Distorting


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_distort_leaves_clean_images_and_equals_direct_calls(
    memory_format: torch.memory_format,
) -> None:
    images_BCHW = pixels((32, 3, 12, 10), memory_format=memory_format)
    before_BCHW = images_BCHW.clone()
    drawn = ALL.draw(32, 1)
    distorted_BCHW = distort(images_BCHW, drawn, KINDS, seed=9)
    assert torch.equal(images_BCHW, before_BCHW)
    assert distorted_BCHW.is_contiguous(memory_format=memory_format)
    clean_B = drawn.kinds_B == -1
    assert torch.equal(distorted_BCHW[clean_B], images_BCHW[clean_B])
    for index, kind in enumerate(KINDS.values()):
        for place in (drawn.kinds_B == index).nonzero().flatten().tolist():
            alone_CHW = kind(
                images_BCHW[place : place + 1], drawn.levels_B[place : place + 1], seed=9
            )[0]
            torch.testing.assert_close(distorted_BCHW[place], alone_CHW, rtol=0, atol=1e-3)
            if drawn.levels_B[place] > 0.3:  # a blur of less than 1/8 pixel reaches no neighbour
                assert not torch.equal(distorted_BCHW[place], images_BCHW[place])


def test_parts_of_a_batch_are_distorted_as_the_whole() -> None:
    # As several processes do it, each with its share of the one batch.
    images_BCHW = pixels((32, 3, 12, 10))
    drawn = ALL.draw(32, 1)
    whole_BCHW = distort(images_BCHW, drawn, KINDS, seed=9)
    for first in range(2):
        share = slice(first, None, 2)
        part_BCHW = distort(images_BCHW[share], drawn.part(share), KINDS, seed=9)
        torch.testing.assert_close(part_BCHW, whole_BCHW[share], rtol=0, atol=1e-3)


def test_all_clean_is_a_copy() -> None:
    images_BCHW = pixels((4, 3, 5, 5))
    clean = Assignment(torch.full((4,), -1), torch.zeros(4, dtype=torch.float64))
    copy_BCHW = distort(images_BCHW, clean, KINDS, seed=0)
    assert torch.equal(copy_BCHW, images_BCHW)
    assert copy_BCHW.data_ptr() != images_BCHW.data_ptr()
