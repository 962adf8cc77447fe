import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mixqual.seeding import derive_seed

parts = st.lists(st.one_of(st.integers(), st.text(max_size=10)), min_size=1, max_size=4).map(tuple)


@settings(deadline=None, max_examples=200)
@given(one=parts, other=parts)
def test_seeds_are_equal_for_equal_parts_only(
    one: tuple[int | str, ...], other: tuple[int | str, ...]
) -> None:
    assert 0 <= derive_seed(*one) < 2**63
    assert (derive_seed(*one) == derive_seed(*other)) == (one == other)


def test_neighbouring_parts_are_told_apart() -> None:
    alike: list[tuple[int | str, ...]] = [
        (1, 23),
        (12, 3),
        (123,),
        ("123",),
        ("1", "23"),
        (1, "23"),
        ("1, 23",),
        (23, 1),
        (-1, 23),
    ]
    assert len({derive_seed(*one) for one in alike}) == len(alike)


def test_seeds_are_the_same_in_another_process() -> None:
    # Unlike Python's own hash of a text, which changes from process to process.
    code = "from mixqual.seeding import derive_seed; print(derive_seed(0, 'fit', 'clean'))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(sys.path)},
    )
    assert int(result.stdout) == derive_seed(0, "fit", "clean")


def test_seeds_stay_what_they_were() -> None:
    # A change would change every result that is computed from a seed.
    assert derive_seed(0, "fit", "clean") == 6583176922200049654
    assert derive_seed(7) == 1320494719199842095


def test_seeds_in_a_row_look_random() -> None:
    seeds = np.array([derive_seed(0, "batch", number) for number in range(5000)], dtype=np.float64)
    assert stats.kstest(seeds / 2**63, "uniform").pvalue > 1e-3
    low_bits = np.array([derive_seed(0, "batch", number) % 256 for number in range(5000)])
    assert stats.chisquare(np.bincount(low_bits, minlength=256)).pvalue > 1e-3
    assert abs(stats.spearmanr(seeds[:-1], seeds[1:]).statistic) < 4 / np.sqrt(5000)
