"""Levels up to which models keep enough of their accuracy, in words and as a table."""

from collections.abc import Mapping
from typing import Any

from mixqual.layout import Table, numbers
from mixqual.report.labels import (
    distortion_title,
    falling,
    level_quantity,
    level_title,
    level_unit,
    listing,
    models_without_trees,
    table_columns,
)
from mixqual.results.lookups import Results
from mixqual.results.names import BEYOND, NEVER
from mixqual.results.wording import model_label

_NEVER = "–"
_UP = "Up to level"


def kept_table(results: Results) -> Table | None:
    """A row for each model; for each distortion, if these are many or the model is one.

    None of older results, and if the study asks for no such level.
    """
    kept = results.get("kept_levels")
    if not kept:
        return None
    models, names = models_without_trees(results), list(results["distortions"])
    keeps = list(kept[models[0]][names[0]])
    if not keeps:
        return None
    by_model = len(models) > 1 and bool(table_columns(results))
    titles = {name: level_title(results, name) for name in names}
    labels = (
        {model: model_label(model) for model in models} if len(models) > 1 else {models[0]: _UP}
    )
    lines, across = (labels, titles) if by_model else (titles, labels)

    def text(line: str, column: str, keep: str) -> str:
        model, name = (line, column) if by_model else (column, line)
        return kept_text(results, name, kept[model][name][keep])

    return Table(
        title=f"{results['name']}: levels up to which accuracy is kept",
        header=("Model" if by_model else "Distortion", "Keeps", *across.values()),
        rows=tuple(
            (title, keep_words(keep), *(text(line, column, keep) for column in across))
            for keep in keeps
            for line, title in lines.items()
        ),
        align=("left", "left", *numbers(len(across))),
        fields=("model", "distortion", "keep", "level", "low", "high"),
        records=tuple(
            (model, name, keep, row["level"], *row["ci95"])
            for model, by_name in kept.items()
            for name, by_keep in by_name.items()
            for keep, row in by_keep.items()
        ),
        rules=tuple(len(lines) * place for place in range(1, len(keeps))),
        notes=_notes(results),
        keys=2,
    )


def kept_sentence(results: Results, model: str) -> str:
    """What a model keeps under each distortion, in words; empty if these are many, or not known."""
    names, by_name = table_columns(results), results.get("kept_levels", {}).get(model, {})
    sentences = []
    for keep in next(iter(by_name.values()), {}) if names else ():
        found = listing([kept_words(results, name, by_name[name][keep]) for name in names])
        enough = f"{keep[:-1]} % of its accuracy on clean images"
        what = enough if keep.endswith("%") else f"an accuracy of {keep}"
        sentences.append(f"{model_label(model)} keeps {what} under {found}.")
    return " ".join(sentences)


def kept_text(results: Results, distortion: str, row: Mapping[str, Any]) -> str:
    """A level with its interval, such as "41.2 [36.0, > 100]"."""
    place = _place(results, distortion, row["level"])
    low, high = (_place(results, distortion, end) for end in row["ci95"])
    return place if place == low == high else f"{place} [{low}, {high}]"


def kept_words(results: Results, distortion: str, row: Mapping[str, Any]) -> str:
    """The same in a sentence, such as "noise up to σ = 41.2 grey levels [36.0, > 100]"."""
    title = distortion_title(distortion)
    name = title if title.isupper() else title[:1].lower() + title[1:]
    last = f"{results['distortions'][distortion]['levels'][-1]:.3g}"
    quantity, unit = level_quantity(results, distortion), level_unit(results, distortion)
    if row["level"] == NEVER:
        return f"{name} at no level"
    text = kept_text(results, distortion, row)
    if row["level"] == BEYOND:
        interval = text.partition(" [")[2]
        found = f" [{interval}" if interval else ""
        return f"{name} at every level tested ({quantity} to {last} {unit}{found})"
    value, _, interval = text.partition(" ")
    way = "down to" if falling(results, distortion) else "up to"
    return f"{name} {way} {quantity} = {value} {unit} {interval}".rstrip()


def keep_words(keep: str) -> str:
    """What is enough, in words: "90 % of clean" or "accuracy 0.8"."""
    return f"{keep[:-1]} % of clean" if keep.endswith("%") else f"accuracy {keep}"


def _place(results: Results, distortion: str, level: float | str) -> str:
    if level == NEVER:
        return _NEVER
    if level == BEYOND:
        last = results["distortions"][distortion]["levels"][-1]
        return f"{'<' if falling(results, distortion) else '>'} {last:.3g}"
    return f"{level:#.3g}".rstrip(".")


def _notes(results: Results) -> tuple[str, ...]:
    images = results["provenance"]["images"]["test"]
    return (
        "The level at which the curve of accuracy first falls below what is to be kept, by "
        "straight lines between the levels tested. [nearer to clean, further]: 95 % interval by "
        f"bootstrap over the {images} test images.",
        "After > (or <, where levels fall as damage grows) stands the last level tested: kept at "
        "all of them, and perhaps further. –: not kept even on clean images.",
        '"Of clean" is of the model\'s own accuracy on clean images: a poor network may keep much '
        "of little.",
    )
