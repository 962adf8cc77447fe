import math

import pytest

from mixqual.deploy.manifest import Grid
from mixqual.deploy.quality import Estimate, estimate_distortion

GRIDS = {
    "gaussian_noise": Grid(
        unit="grey levels",
        quantity="σ",
        levels=(0.0, 50.0, 100.0),
        weights=((0.5, 0.25, 0.25), (0.1, 0.9, 0.0), (0.0, 1.0, 0.0)),
    ),
    "gaussian_blur": Grid(
        unit="pixels", quantity="σ", levels=(0.0, 5.0), weights=((0.5, 0.25, 0.25), (0, 0.0, 1))
    ),
}


def test_every_row_of_the_tables_is_found_again() -> None:
    for name, grid in GRIDS.items():
        for level, weights_E in zip(grid.levels[1:], grid.weights[1:], strict=True):
            found = estimate_distortion(GRIDS, weights_E)
            assert found == Estimate(name, level, grid.unit, (level, level), 0.0)
    clean = Estimate("clean", None, None, None, 0.0)
    assert estimate_distortion(GRIDS, (0.5, 0.25, 0.25)) == clean


def test_levels_that_call_for_the_same_experts_are_told_together() -> None:
    rows = ((0.9, 0.1), (0.3, 0.7), (0.02, 0.98), (0.0, 1.0), (0.03, 0.97))
    levels = (0.0, 10.0, 20.0, 30.0, 40.0)
    grid = Grid(unit="grey levels", quantity="σ", levels=levels, weights=rows)
    found = estimate_distortion({"noise": grid}, (0.001, 0.999))
    assert (found.level, found.levels) == (30.0, (20.0, 40.0))
    found = estimate_distortion({"noise": grid}, (0.31, 0.69))
    assert (found.level, found.levels) == (10.0, (10.0, 10.0))


def test_the_nearest_row_counts() -> None:
    found = estimate_distortion(GRIDS, (0.05, 0.2, 0.75))
    assert (found.name, found.level) == ("gaussian_blur", 5.0)
    assert found.distance == pytest.approx(math.sqrt(0.05**2 + 0.2**2 + 0.25**2))
