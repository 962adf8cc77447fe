"""Intervals that cover both chances of a study: luck in training, and the choice of test images.

S are trainings, each with a seed of its own. All of them are tested on the same N images.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mixqual.errors import MixqualError

Array = NDArray[np.float64]


def interval_over_trainings(
    contributions_SN: Array, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of a mean over trainings and images, both taken as draws of many more.

    `contributions_SN` has one number a training and image, such as the image's part in an AUC, or
    in the difference of two. It is centred on their mean and never narrower than the interval over
    the images alone; from three trainings on, the coverage is what it says. Raises `MixqualError`
    unless there are two trainings and two images at least.
    """
    trainings, images = contributions_SN.shape
    if trainings < 2 or images < 2:
        raise MixqualError(
            f"an interval over trainings takes 2 trainings and 2 images, not {trainings} and "
            f"{images}"
        )
    mean = contributions_SN.mean()
    of_training_S1 = contributions_SN.mean(1, keepdims=True) - mean
    of_image_1N = contributions_SN.mean(0, keepdims=True) - mean
    rest_SN = contributions_SN - mean - of_training_S1 - of_image_1N
    # Mean squares of the two-way layout with one number a place, as variances of the mean.
    scale = trainings * images
    by_training = images * np.square(of_training_S1).sum() / (trainings - 1) / scale
    by_image = trainings * np.square(of_image_1N).sum() / (images - 1) / scale
    by_both = np.square(rest_SN).sum() / ((trainings - 1) * (images - 1)) / scale
    tail = (1 + confidence) / 2
    luck = stdtrit(trainings - 1, tail) ** 2 * max(by_training - by_both, 0.0)
    choice = stdtrit(images - 1, tail) ** 2 * max(by_image, by_both)
    half = np.sqrt(luck + choice)
    return float(mean - half), float(mean + half)
