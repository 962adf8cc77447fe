"""What guesses reach is told from what a classifier does."""

import numpy as np
import pytest

from mixqual.evaluation.chance import near_chance


@pytest.mark.parametrize("classes", [2, 4, 12, 1000])
def test_nearly_all_guesses_are_near_chance(classes: int) -> None:
    generator = np.random.default_rng(classes)
    for images in (4 * classes, 100 * classes):
        rates = generator.binomial(images, 1 / classes, 400) / images
        assert np.mean([near_chance(rate, classes, images) for rate in rates]) > 0.95


@pytest.mark.parametrize(
    ("accuracy", "classes", "images", "expected"),
    [
        (0.0, 2, 50, True),  # the classes exchanged
        (2 / 12, 12, 24, True),  # 0...11 in the order of text, for outputs in that of numbers
        (0.29, 4, 24, True),
        (0.67, 4, 24, False),
        (1.0, 2, 5, False),  # however few
        (0.8, 2, 500, False),
        (0.05, 1000, 500, False),  # hard images, and far more than one in a thousand
        (0.001, 1000, 500, True),
    ],
)
def test_of_known_cases(accuracy: float, classes: int, images: int, expected: bool) -> None:
    assert near_chance(accuracy, classes, images) is expected
