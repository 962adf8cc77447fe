"""Floors that a classifier's resilience must not fall below: for checks by a machine.

What a floor is of is its key: a distortion, "average" or "clean" of an AUC or accuracy, and a
distortion with what is enough, such as "gaussian_blur@90%", of the level up to which that is kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mixqual.errors import StudyError
from mixqual.keep import Keep
from mixqual.report.kept_table import keep_words
from mixqual.report.labels import falling, level_unit
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE, BEYOND, CLEAN, NEVER


def parse_floors(texts: Sequence[str]) -> dict[str, float]:
    """Parse "gaussian_blur=0.6", "gaussian_blur@90%=4" and the like, as `--fail-under` takes them.

    Raises `StudyError`.
    """
    floors = {}
    for text in texts:
        key, _, value = text.partition("=")
        try:
            floor = float(value)
        except ValueError:
            raise StudyError(
                f"--fail-under {text}: write name=floor, such as gaussian_blur=0.6, "
                f"{AVERAGE}=0.7 or {CLEAN}=0.9, or a level up to which accuracy must be kept, such "
                "as gaussian_blur@90%=4"
            ) from None
        name, keep = _parsed(key)
        if keep is None and not 0 <= floor <= 1:
            raise StudyError(f"--fail-under {text}: an accuracy or an AUC lies between 0 and 1")
        floors[f"{name}@{keep.name}" if keep else name] = floor
    return floors


def floor_keeps(floors: Mapping[str, float]) -> list[Keep]:
    """How much accuracy the floors say is enough, each once."""
    return list(dict.fromkeys(keep for _, keep in map(_parsed, floors) if keep))


def check_floors(floors: Mapping[str, float], distortions: Sequence[str]) -> None:
    """Raise `StudyError` for a floor of something that is not measured, before measuring starts."""
    known = (*distortions, AVERAGE, CLEAN)
    parsed = [_parsed(key) for key in floors]
    unknown = [name for name, keep in parsed if name not in (distortions if keep else known)]
    if unknown:
        raise StudyError(
            f"there is a floor for {', '.join(unknown)}, which is not measured; name one of "
            f"{', '.join(known)}; a level is that of one distortion"
        )


def missed_floors(results: Results, floors: Mapping[str, float]) -> list[str]:
    """A message for each number that is below its floor; none if all hold.

    Keys are as above. A value that equals its floor holds; of a level, which may fall as damage
    grows, one holds that is as damaging as the floor. Raises `StudyError` for any other key, for
    what is enough if results have no levels for it, and for a level outside of those tested.
    """
    distortions = list(results["distortions"])
    check_floors(floors, distortions)
    messages = []
    for model in results["models"]:
        clean = next(iter(results["accuracy"][model][distortions[0]].values()))
        for key, floor in floors.items():
            name, keep = _parsed(key)
            if keep:
                messages += _missed_level(results, model, name, keep, floor)
                continue
            value = clean if name == CLEAN else results["auc"][model][name]["auc"]
            what = "accuracy on clean images" if name == CLEAN else f"AUC of {name}"
            if value < floor:
                messages.append(f"{model}: {what} is {value:.6g}, below the floor of {floor:g}")
    return messages


def _missed_level(
    results: Results, model: str, distortion: str, keep: Keep, floor: float
) -> list[str]:
    levels = results["distortions"][distortion]["levels"]
    unit, down = level_unit(results, distortion), falling(results, distortion)
    if not min(levels) <= floor <= max(levels):
        raise StudyError(
            f"the floor {floor:g} of {distortion}@{keep.name} is none of the levels that were "
            f"tested, {levels[0]:g} to {levels[-1]:g} {unit}; test further levels, or lower it"
        )
    found = _kept(results, model, distortion)
    if keep.name not in found:
        raise StudyError(
            f"these results do not say up to which level {keep.name} is kept; they have "
            f"{', '.join(found) or 'no such levels'}"
        )
    level = found[keep.name]["level"]
    if level == BEYOND or (level != NEVER and (level <= floor if down else level >= floor)):
        return []
    way = "down to" if down else "up to"
    reached = "not even without it" if level == NEVER else f"{way} {level:.6g} {unit}"
    return [
        f"{model}: under {distortion} it keeps {keep_words(keep.name)} {reached}, not {way} the "
        f"floor of {floor:g}"
    ]


def _kept(results: Results, model: str, distortion: str) -> Mapping[str, Any]:
    kept: Mapping[str, Any] = results.get("kept_levels", {}).get(model, {}).get(distortion, {})
    return kept


def _parsed(key: str) -> tuple[str, Keep | None]:
    name, at, keep = key.rpartition("@")
    return (name, Keep.parse(keep)) if at else (key, None)
