"""Floors that a classifier's resilience must not fall below: for checks by a machine."""

from collections.abc import Mapping, Sequence

from mixqual.errors import StudyError
from mixqual.report.labels import AVERAGE, Results

CLEAN = "clean"
"""The accuracy on clean images, where the name of a distortion may stand for its AUC."""


def parse_floors(texts: Sequence[str]) -> dict[str, float]:
    """Parse "gaussian_blur=0.6" and the like, as `--fail-under` takes them; raises `StudyError`."""
    floors = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            floors[name] = float(value)
        except ValueError:
            raise StudyError(
                f"--fail-under {text}: write name=floor, such as gaussian_blur=0.6, "
                f"{AVERAGE}=0.7 or {CLEAN}=0.9"
            ) from None
        if not 0 <= floors[name] <= 1:
            raise StudyError(f"--fail-under {text}: an accuracy or an AUC lies between 0 and 1")
    return floors


def check_floors(floors: Mapping[str, float], distortions: Sequence[str]) -> None:
    """Raise `StudyError` for a floor of something that is not measured, before measuring starts."""
    known = (*distortions, AVERAGE, CLEAN)
    unknown = [name for name in floors if name not in known]
    if unknown:
        raise StudyError(
            f"there is a floor for {', '.join(unknown)}, which is not measured; name one of "
            f"{', '.join(known)}"
        )


def missed_floors(results: Results, floors: Mapping[str, float]) -> list[str]:
    """A message for each AUC that is below its floor, and for the clean accuracy; none if all hold.

    Keys are distortions, "average" for the mean AUC over them, or "clean" for the accuracy on clean
    images. A value that equals its floor holds. Raises `StudyError` for any other key.
    """
    distortions = list(results["distortions"])
    check_floors(floors, distortions)
    messages = []
    for model in results["models"]:
        clean = next(iter(results["accuracy"][model][distortions[0]].values()))
        for name, floor in floors.items():
            value = clean if name == CLEAN else results["auc"][model][name]["auc"]
            what = "accuracy on clean images" if name == CLEAN else f"AUC of {name}"
            if value < floor:
                messages.append(f"{model}: {what} is {value:.6g}, below the floor of {floor:g}")
    return messages
