"""What a run shows, in words for readers who do not know the method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from mixqual.layout import Table, numbers
from mixqual.report.differences import Difference, difference
from mixqual.report.headline import mixture_sentence, rivals
from mixqual.report.kept_table import kept_sentence
from mixqual.report.labels import (
    distortion_title,
    level_quantity,
    level_unit,
    listing,
    main_baseline,
)
from mixqual.report.notes import auc_warnings
from mixqual.results.lookups import Results, original_network
from mixqual.results.names import AVERAGE, level_key
from mixqual.results.wording import model_label, signed

RULE = (
    "Shown is the distortion that hurts {original} most (its lowest AUC among those that an expert "
    "was trained on), at the middle one of the levels that were tested. What a network keeps is "
    "its accuracy there, divided by its own accuracy on clean images."
)


@final
@dataclass(frozen=True)
class Kept:
    """What one model keeps of its accuracy at one level of one distortion."""

    model: str
    label: str
    words: str
    """What the model is, without the method's names."""
    clean: float
    """Accuracy on clean images, 0 to 1."""
    damaged: float
    """Accuracy at the level."""

    @property
    def share(self) -> float:
        """Its accuracy at the level as a share of that on clean images; 0 if it has none."""
        return self.damaged / self.clean if self.clean else 0.0


@final
@dataclass(frozen=True)
class Lead:
    """How M_mix compares with one rival, for a card."""

    label: str
    words: str
    value: str
    interval: str
    verdict: str
    shown: bool
    seeds: str
    """The same for each training, in words; empty if there was only one."""


@final
@dataclass(frozen=True)
class Summary:
    """The head of the page."""

    headline: str
    ship: str
    """What to ship, and why; empty of older results."""
    levels: str
    """Up to which levels the recommended network, or M_mix, keeps its accuracy; it may be empty."""
    rule: str
    details: str
    kept: Sequence[Kept]
    leads: Sequence[Lead]
    warnings: Sequence[str]
    table: Table


def summary(results: Results) -> Summary:
    """The headline by the stated `RULE`, and what the intervals allow to say of it."""
    distortion = hardest_distortion(results)
    kept = kept_accuracy(results, distortion)
    original, *_, own = kept
    recommended = results.get("recommendation")
    where = f"At {_level_words(results, distortion)}"
    return Summary(
        headline=(
            f"{where}, the original network keeps {_percent(original.share)} of its accuracy, "
            f"{'the mixture' if own.model == 'mix' else own.label} {_percent(own.share)}."
        ),
        ship=recommended["reason"] if recommended else "",
        levels=kept_sentence(results, own.model),
        rule=RULE.format(original=original.label),
        details=mixture_sentence(results),
        kept=kept,
        leads=[
            _lead(results, found)
            for rival in rivals(results)
            if (found := difference(results, "mix", rival))
        ],
        warnings=auc_warnings(results),
        table=_kept_table(results),
    )


def hardest_distortion(results: Results) -> str:
    """The distortion with the lowest AUC of the original network, of those that are not held out.

    It is chosen by the original network alone, so that the choice cannot favour the mixture.
    """
    areas = results["auc"][original_network(results)]
    held_out = results.get("held_out", [])
    seen: list[str] = [name for name in results["distortions"] if name not in held_out]
    return min(seen, key=lambda name: float(areas[name]["auc"]))


def kept_accuracy(results: Results, distortion: str) -> list[Kept]:
    """What the original network, M_all if there is one, and M_mix keep at the middle level.

    Last comes the one that is recommended, if it is another than the original network; M_mix is in
    its full mode here.
    """
    main = main_baseline(results)
    words = {original_network(results): "original network"}
    if main:
        words[main] = "one network trained on everything"
    words["mix"] = "mixture"
    own = results.get("recommendation", {}).get("ship", "mix")
    if own != original_network(results):
        words[own] = words.pop(own, "recommended")
    levels = results["distortions"][distortion]["levels"]
    clean, middle = level_key(levels[0]), level_key(middle_level(results, distortion))
    curves = {model: results["accuracy"][model][distortion] for model in words}
    return [
        Kept(model, model_label(model), text, curves[model][clean], curves[model][middle])
        for model, text in words.items()
    ]


def middle_level(results: Results, distortion: str) -> float:
    """The middle one of the levels that were tested; of two, the more damaging one."""
    levels = results["distortions"][distortion]["levels"]
    return float(levels[len(levels) // 2])


def _level_words(results: Results, distortion: str) -> str:
    name, level = distortion_title(distortion), middle_level(results, distortion)
    first = name if name.isupper() else name[0].lower() + name[1:]
    quantity, unit = level_quantity(results, distortion), level_unit(results, distortion)
    return f"{first} {quantity} = {level:.3g} {unit}"


def _kept_table(results: Results) -> Table:
    rows, records = [], []
    for distortion in results["distortions"]:
        kept = kept_accuracy(results, distortion)
        level = middle_level(results, distortion)
        unit = level_unit(results, distortion)
        rows.append(
            (
                distortion_title(distortion),
                f"{level:.3g} {unit}",
                *(f"{_percent(each.share)} ({100 * each.damaged:.1f} %)" for each in kept),
            )
        )
        records.append((distortion, level, *(each.share for each in kept)))
    return Table(
        title="Accuracy kept at the middle level of each distortion",
        header=("Distortion", "Level", *(each.label for each in kept)),
        rows=tuple(rows),
        align=("left", "left", *numbers(len(kept))),
        fields=("distortion", "level", *(each.model for each in kept)),
        records=tuple(records),
        notes=("In brackets: the accuracy at that level itself.",),
    )


def _lead(results: Results, found: Difference) -> Lead:
    words = {original_network(results): "the original network"}
    main = main_baseline(results)
    if main:
        words[main] = "one network trained on everything"
    shown = found.verdict != "no difference shown"
    return Lead(
        label=model_label(found.b),
        words=words.get(found.b, "another network trained on everything"),
        value=signed(found.delta),
        interval=f"{signed(found.low)} to {signed(found.high)}",
        verdict=f"shown to be {found.verdict}" if shown else found.verdict,
        shown=shown,
        seeds=_by_seed(results, found),
    )


def _by_seed(results: Results, found: Difference) -> str:
    own, other = (results["auc"][model][AVERAGE]["seeds"] for model in (found.a, found.b))
    deltas = [a - b for a, b in zip(own, other, strict=True)]
    if len(deltas) < 2:
        return ""
    ahead = sum(delta > 0 for delta in deltas)
    each = listing([signed(delta) for delta in deltas])
    return f"Ahead in {ahead} of {len(deltas)} trainings: {each}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"  # a space at which no line breaks
