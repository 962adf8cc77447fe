"""What a reader of the table of areas has to know, in sentences below it and warnings above."""

import math
import statistics

from mixqual.report.labels import (
    distortion_title,
    gate_kind,
    kind_of,
    listing,
    models_without_trees,
    recipes,
)
from mixqual.report.makers import makers_note
from mixqual.results.lookups import Results, is_gray
from mixqual.results.names import AVERAGE, CEILINGS
from mixqual.results.wording import model_label

_LARGEST_GAP = 1e-9


def auc_warnings(results: Results) -> tuple[str, ...]:
    """What makes numbers of the table meaningless, or better than they should be."""
    warnings = []
    failed = failed_gates(results)
    if failed:
        warnings.append(
            f"WARNING: THE GATE HAS FAILED for {failed}. {_gate_losses(results)} A gate that does "
            "not beat a constant has learned nothing: M_mix and M_hardmix are not what they should "
            "be."
        )
    leaks = results.get("leaks")
    if leaks:
        warnings.append(
            f"WARNING: {len(leaks)} images are not apart from others that they should be apart "
            f"from, such as {leaks[0]['id']} ({leaks[0]['place']}) and {leaks[0]['twin']} "
            f"({leaks[0]['twin_place']}): {leaks[0]['what']}. All of them are in leaks.csv."
            f"{_without_twins(results)}"
        )
    return tuple(warnings)


def auc_notes(results: Results) -> tuple[str, ...]:
    """How to read the table of areas, and where its numbers come from."""
    notes = [
        _areas(results),
        _intervals(results),
        _seeds(results),
        _levels(results),
        _costs(results),
        _ceilings(results),
        _recipes(results),
        _steps(results),
        _gate(results),
        _gap(results),
        _origin(results),
        makers_note(results),
        results["provenance"].get("credit"),
    ]
    return tuple(note for note in notes if note)


def failed_gates(results: Results) -> str:
    """The seeds whose gate does not beat a constant, as words; empty if there are none."""
    failed = [row["seed"] for row in results.get("gate", []) if not row["beats_constant"]]
    return _seed_words(failed) if failed else ""


def _without_twins(results: Results) -> str:
    without = results.get("without_twins")
    if not without:
        return ""
    if not without["images"]:
        return " No test image is apart from all others."
    return (
        f" Accuracies without the {without['twins']} test images among them are in the table "
        '"with and without".'
    )


def _areas(results: Results) -> str:
    others = ", ".join(
        f"{model_label(model)} {results['auc'][model][AVERAGE]['auc_without_clean']:.3f}"
        for model in models_without_trees(results)
    )
    return (
        "AUC: area under the curve of accuracy against level, by the trapezoid rule from the clean "
        "level on and divided by the range of levels, so that 1.000 is right at every level. "
        f"Averages if the clean level does not count: {others}."
    )


def _intervals(results: Results) -> str:
    images, seeds = results["provenance"]["images"]["test"], results["provenance"]["seeds"]
    mean = f" of the mean over {len(seeds)} seeds" if len(seeds) > 1 else ""
    return (
        f"[low, high]: 95 % interval{mean}, by paired bootstrap over the {images} test images (the "
        "same resamples for all models). It covers the choice of test images, not the chance in "
        "training."
    )


def _seeds(results: Results) -> str:
    seeds = results["provenance"]["seeds"]
    if len(seeds) < 2:
        return (
            f"One training, with {_seed_words(seeds)}: how much another training would differ has "
            "not been measured."
        )
    # An older or foreign file may be without the mixture; any other model shows the spread too.
    model = "mix" if "mix" in results["auc"] else results["models"][0]
    values = results["auc"][model][AVERAGE]["seeds"]
    each = ", ".join(f"{value:.3f}" for value in values)
    return (
        f"Numbers are means over {len(seeds)} trainings, with {_seed_words(seeds)}. Average of "
        f"{model_label(model)} by seed: {each} (standard deviation {statistics.stdev(values):.3f}"
        f"{_over_trainings(results, model)})."
    )


def _over_trainings(results: Results, model: str) -> str:
    area = results["auc"][model][AVERAGE]
    if "ci95_trainings" not in area:  # of an older version
        return ""
    low, high = area["ci95_trainings"]
    images = results["provenance"]["images"]["test"]
    return (
        f"; its 95 % interval over the {len(area['seeds'])} trainings and the {images} test images "
        f"is {low:.3f} to {high:.3f}"
    )


def _levels(results: Results) -> str:
    size = results["provenance"]["size"]
    ranges = []
    for name, grid in results["distortions"].items():
        clean, strongest, at_224 = grid["levels"][0], grid["levels"][-1], grid["max_at_224"]
        way = "up" if strongest > clean else "down"
        text = f"{distortion_title(name)} {way} to {strongest:.4g} {grid['unit']}"
        if not math.isclose(strongest, at_224, rel_tol=1e-5):
            text += f" (scaled to images of {size} px: {at_224:g} at 224 px)"
        elif grid["unit"] == "pixels":
            text += " (not scaled)"
        text += f", {len(grid['levels'])} levels with the clean one"
        ranges.append(f"{text}, the same in all channels" if is_gray(grid) else text)
    return "; ".join(ranges) + "."


def _costs(results: Results) -> str:
    origin = results["provenance"]
    return (
        "Params: parameters to store, in millions. MACs: multiply-accumulates per image, in "
        f"billions. Latency: of one image on {origin['device']}, {origin['threads']} threads. "
        "Experts run: how many networks an image goes through."
    )


def _ceilings(results: Results) -> str:
    meanings = {
        "mix_true": "true weights is M_mix with the optimal weights of each image's true "
        "distortion and level in place of the gate's",
        "best_expert": "best expert is the expert that is best on the test images themselves, "
        "chosen anew for each distortion and level",
    }
    present = [meanings[name] for name in CEILINGS if name in results["models"]]
    if not present:
        return ""
    return f"Ceilings know what no deployed model knows: {'; '.join(present)}."


def _recipes(results: Results) -> str:
    told = recipes(results)
    return f"Recipes (docs/training.md): {'; '.join(told)}." if told else ""


def _steps(results: Results) -> str:
    """Training is a cost too: an advantage may come from more steps alone."""
    trainings = list(results.get("training", {}).values())
    single = [m for m in results["models"] if kind_of(results, m) in ("expert", "baseline")]
    means = [
        f"{model_label(model)} {statistics.mean(fits[model]['steps'] for fits in trainings):.0f}"
        for model in single
        if trainings and all(model in fits for fits in trainings)
    ]
    return f"Training steps: {', '.join(means)}." if means else ""


def _gate(results: Results) -> str:
    gates = results.get("gate", [])
    if not gates or failed_gates(results):
        return ""  # a failure stands above the table
    gate = "patch gate" if gate_kind(results) == "patch" else "gate"
    return f"The {gate} beats the best constant. {_gate_losses(results)}"


def _gate_losses(results: Results) -> str:
    losses = listing(
        [
            f"{row['val_loss']:.4f} against {row['constant_loss']:.4f} (seed {row['seed']})"
            for row in results["gate"]
        ]
    )
    return f"Its validation loss against that of the best constant: {losses}."


def _gap(results: Results) -> str:
    gap = results.get("largest_gap", 0.0)
    if gap <= _LARGEST_GAP:
        return ""
    return (
        f"The optimal weights are certified only to within {gap:.1e} of the lowest cross-entropy, "
        f"not to the {_LARGEST_GAP:.0e} that is asked for."
    )


def _origin(results: Results) -> str:
    origin = results["provenance"]
    counts = origin["images"]
    left_out = f", {origin['left_out']} left out" if origin.get("left_out") else ""
    commit = f", commit {origin['commit']}" if origin.get("commit") else ""
    return (
        f"{counts['train']} training, {counts['val']} validation and {counts['test']} test images "
        f"of {origin['size']}×{origin['size']} px{left_out}. Backbone {origin['backbone']}, "
        f"weights {origin['weights']}. mixqual {origin['version']}{commit}, {origin['date']}."
    )


def _seed_words(seeds: list[int]) -> str:
    return ("seed " if len(seeds) == 1 else "seeds ") + listing([str(seed) for seed in seeds])
