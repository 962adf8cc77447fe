"""What a reader needs to judge a run, and to make it again: its facts, training, and origin."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mixqual.layout import Table, numbers
from mixqual.report.labels import distortion_title, gate_kind, listing, recipes
from mixqual.report.makers import makers_note
from mixqual.results.lookups import Results, is_gray
from mixqual.results.wording import model_label

Facts = list[tuple[str, str]]
"""Names and values, in the order in which they are read."""

_MOST_FILES = 500
_MOST_REASONS = 20
_MISSING = "–"
_FIT = ("steps", "epochs", "best_epoch", "val_loss")


def study_facts(results: Results) -> Facts:
    """What was studied."""
    origin = results["provenance"]
    counts = origin["images"]
    classes = class_names(results)
    left_out = f", {origin['left_out']} left out" if origin.get("left_out") else ""
    facts = [
        (
            "Images",
            f"{counts['train']} to train on, {counts['val']} to validate, {counts['test']} to "
            f"test{left_out}",
        ),
        ("Size", f"{origin['size']}×{origin['size']} px"),
        ("Backbone", f"{origin['backbone']}, weights {origin['weights']}"),
        ("Experts", listing([model_label(name) for name in results["experts"]])),
        ("Baselines", listing([model_label(name) for name in results["baselines"]] or ["none"])),
        *(("Recipe", told) for told in recipes(results)),
        ("Distortions", "; ".join(_range(results, name) for name in results["distortions"])),
    ]
    if gate_kind(results) == "patch":
        facts.append(("Gate", "patch: it looks at the central pixels of an image alone"))
    if classes:
        facts.insert(1, ("Classes", listing(classes)))
    if results.get("held_out"):
        held_out = [distortion_title(name) for name in results["held_out"]]
        facts.append(("Held out", f"{listing(held_out)}: no expert was trained on it"))
    return facts


def provenance_facts(results: Results) -> Facts:
    """Where the numbers come from."""
    origin = results["provenance"]
    libraries = [f"{name} {version}" for name, version in origin["libraries"].items()]
    processes = origin.get("processes", 1)
    several = f", {processes} processes" if processes > 1 else ""
    return [
        ("mixqual", str(origin["version"])),
        ("Commit", str(origin.get("commit") or _MISSING)),
        ("Date", str(origin["date"])),
        ("Device", f"{origin['device']}, {origin['threads']} threads{several}"),
        ("Seeds", listing([str(seed) for seed in origin["seeds"]])),
        ("Libraries", ", ".join(libraries)),
        *([("Makers", makers)] if (makers := makers_note(results)) else []),
        ("Hash of the settings", str(origin["config_hash"])),
    ]


def class_names(results: Results) -> list[str]:
    """The classes in the order of the networks' outputs; none if the results do not name them."""
    return list(results.get("classes") or results["provenance"].get("classes", []))


def training_table(results: Results) -> Table | None:
    """How each network was trained, seed by seed; None if the results do not say it."""
    trainings = results.get("training", {})
    networks = dict.fromkeys(network for fits in trainings.values() for network in fits)
    records = tuple(
        (network, seed, *(fits[network][field] for field in _FIT))
        for network in networks
        for seed, fits in trainings.items()
        if network in fits
    )
    if not records:
        return None
    return Table(
        title="Training of every network",
        header=("Network", "Seed", "Steps", "Epochs", "Best epoch", "Validation loss"),
        rows=tuple((*(str(value) for value in record), f"{loss:.4f}") for *record, loss in records),
        align=("left", *numbers(5)),
        fields=("network", "seed", *_FIT),
        records=records,
        notes=(
            "The weights of the best epoch were kept: that of the lowest validation loss, or the "
            "last one where a recipe does not stop early.",
        ),
    )


def gate_table(results: Results) -> Table | None:
    """The gate against the best constant weights, seed by seed; None if there is no gate."""
    gates: list[Mapping[str, Any]] = results.get("gate", [])
    if not gates:
        return None
    records = tuple(
        (
            row["seed"],
            row["val_loss"],
            row["constant_loss"],
            "yes" if row["beats_constant"] else "NO",
        )
        for row in gates
    )
    return Table(
        title="Validation loss of the gate",
        header=("Seed", "Gate", "Best constant weights", "Beats them"),
        rows=tuple(
            (str(seed), f"{own:.4f}", f"{constant:.4f}", beats)
            for seed, own, constant, beats in records
        ),
        align=(*numbers(3), "left"),
        fields=("seed", "val_loss", "constant_loss", "beats_constant"),
        records=records,
    )


def left_out_tables(results: Results) -> list[Table]:
    """Why files were not used, the most frequent reason first, and which they are."""
    files = results["left_out"]
    if not files:
        return []
    reasons = Counter(file["reason"] for file in files).most_common()
    counts = tuple((reason, count) for reason, count in reasons[:_MOST_REASONS])
    names = tuple((file["id"], file["reason"]) for file in files[:_MOST_FILES])
    return [
        Table(
            title="Files that were not used, by reason",
            header=("Reason", "Files"),
            rows=tuple((reason, str(count)) for reason, count in counts),
            align=("left", "right"),
            fields=("reason", "files"),
            records=counts,
            notes=_more(len(reasons) - len(counts), "reasons"),
        ),
        Table(
            title="Files that were not used",
            header=("File", "Reason"),
            rows=names,
            align=("left", "left"),
            fields=("id", "reason"),
            records=names,
            notes=_more(len(files) - len(names), "files"),
        ),
    ]


def _more(count: int, what: str) -> tuple[str, ...]:
    return (f"And {count} more {what}: all are in left_out.csv.",) if count else ()


def _range(results: Results, distortion: str) -> str:
    grid = results["distortions"][distortion]
    first, last = grid["levels"][0], grid["levels"][-1]
    gray = ", the same in all channels" if is_gray(grid) else ""
    return (
        f"{distortion_title(distortion)} from {first:.4g} to {last:.4g} {grid['unit']} in "
        f"{len(grid['levels'])} levels{gray}"
    )
