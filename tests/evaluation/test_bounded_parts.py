from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixqual.evaluation import PART_BYTES, parts_of
from mixqual.evaluation.bounded_parts import BLOCK


@given(st.integers(1, 100_000), st.integers(1, 200_000), st.integers(1, 2**28))
def test_parts_are_all_images_in_order_within_the_budget(
    images: int, outputs: int, part_bytes: int
) -> None:
    parts = parts_of(images, outputs, max(part_bytes, images * outputs // 10_000))
    numbers = [range(part.start, part.stop) for part in parts]
    assert sum(map(len, numbers)) == images
    assert (numbers[0].start, numbers[-1].stop) == (0, images)
    assert all(a.stop == b.start for a, b in pairwise(numbers))
    budget = max(part_bytes, images * outputs // 10_000, 4 * outputs)  # one image at least
    assert all(4 * outputs * len(number) <= budget for number in numbers)


def test_ordinary_sets_are_one_part() -> None:
    assert parts_of(50_000, 50) == [slice(0, 50_000)]


def test_parts_of_many_images_are_whole_blocks() -> None:
    parts = parts_of(10_000, 5_000)
    assert len(parts) > 1
    assert {part.start % BLOCK for part in parts} == {0}
    assert np.diff([part.start for part in parts]).max() * 4 * 5_000 <= PART_BYTES
