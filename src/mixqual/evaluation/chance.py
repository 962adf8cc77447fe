"""Whether a classifier does better than one that has not seen the images."""

import math

_ODDS = 2.0


def near_chance(class_mean_accuracy: float, classes: int, images: int) -> bool:
    """Whether an accuracy, as a mean over the classes, may be that of guesses, or is below it.

    A guess has 1/classes, whatever the shares of the classes. An accuracy is near it that so many
    guesses reach by luck (two standard deviations), or whose odds are less than twice as good.
    """
    chance = 1 / classes
    by_luck = chance + 2 * math.sqrt(chance * (1 - chance) / images)
    odds = _ODDS * chance / (1 - chance)
    return class_mean_accuracy < min(max(by_luck, odds / (1 + odds)), 1)
