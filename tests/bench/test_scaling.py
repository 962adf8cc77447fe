"""The fitted power law against laws that are known, and rows made by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.bench import scaling


@settings(max_examples=50, deadline=None)
@given(
    exponent=st.floats(-2, 3),
    constant=st.floats(1e-4, 100),
    amounts=st.lists(st.integers(1, 1000), min_size=2, max_size=6, unique=True),
)
def test_a_power_law_is_found_again(exponent: float, constant: float, amounts: list[int]) -> None:
    points = [(float(amount), constant * amount**exponent) for amount in amounts]
    found_exponent, found_constant = scaling.fit_power(points)
    # Amounts that are close to each other, far from 1, lose digits.
    assert found_exponent == pytest.approx(exponent, abs=1e-6)
    assert found_constant == pytest.approx(constant, rel=1e-5)


def test_what_is_linear_is_1_and_what_two_threads_halve_is_1() -> None:
    seconds = {
        scaling._name(axis, size): 1 / size if axis == "threads" else 0.5 * size
        for axis, sizes in scaling._AXES.items()
        for size in sizes
    }
    for axis in scaling._AXES:
        each, exponent = scaling._for_each(axis, [seconds]), scaling._exponent(axis, [seconds])
        assert each.ratio == pytest.approx(1)
        assert exponent.ratio == pytest.approx(1)
    assert exponent.curve == ((1.0, 1.0), (0.5, 0.5))
    assert "1.0000 s times (1 / threads) to the power of 1.00" in exponent.settings


def test_a_constant_part_lowers_the_exponent() -> None:
    """By hand: 1 + n seconds for 1 and 3 images is an exponent of log 2 / log 3."""
    seconds = {scaling._name("images", n): 1 + n / 32 for n in scaling._AXES["images"]}
    assert scaling._for_each("images", [seconds]).ratio == pytest.approx((9 / 8) / 2)
    assert scaling.fit_power([(1, 2.0), (3, 4.0)])[0] == pytest.approx(0.6309, abs=1e-4)


def test_every_axis_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_SIDE", 32), ("_BATCH", 2), ("_REPETITIONS", 2)):
        monkeypatch.setattr(scaling, name, value)
    monkeypatch.setattr(scaling, "_BACKBONE", "timm/test_efficientnet")
    monkeypatch.setattr(scaling, "_BASE", scaling._Size(images=2))
    axes = {"images": (2, 4), "levels": (2, 4), "experts": (1, 2), "threads": (1, 2)}
    monkeypatch.setattr(scaling, "_AXES", axes)
    cells: list[int] = []
    run = scaling.sweep

    def counted(predictors, arrays, images, found, *rest, **settings):  # type: ignore[no-untyped-def]
        cells.append(len(predictors) * len(images) * len(found))
        run(predictors, arrays, images, found, *rest, **settings)

    monkeypatch.setattr(scaling, "sweep", counted)
    threads = torch.get_num_threads()
    found = scaling.measure()
    assert torch.get_num_threads() == threads
    # Two images in two levels by one network, or twice as much of one of them.
    assert cells[:8] == [4, 8] * 3 + [4, 4]
    assert [row.what for row in found] == [
        "sweep, seconds for each of 4 images",
        "sweep, exponent of images",
        "sweep, seconds for each of 4 levels",
        "sweep, exponent of levels",
        "sweep, seconds for each of 2 experts",
        "sweep, exponent of experts",
        "sweep, seconds of all 2 threads together",
        "sweep, exponent of (1 / threads)",
    ]
