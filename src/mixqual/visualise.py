"""`mixqual neurons`: the paper's Figure 3 for the experts of a finished run."""

import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixqual.artifacts import make_folder
from mixqual.config import RuntimeConfig
from mixqual.errors import StudyError
from mixqual.finished_run import FinishedRun
from mixqual.neurons import FLOOR_SHARE, OFF_GAIN, Ascent, Responses, count_units, respond
from mixqual.provenance import provenance
from mixqual.report import write_neurons
from mixqual.runtime import place, set_up_machine
from mixqual.seeding import derive_seed

_RULES = {
    "activation": "mean of the unit's channel over all positions at the end of the stage",
    "ratio": f"1 + (end - start) / max(|start|, {FLOOR_SHARE:.0%} of the stage's mean |start|), "
    "which is end / start for a positive start",
    "off": f"no step raised the activation above its start by more than {OFF_GAIN:.0%} of it; it "
    "may rise from another start (--seed)",
}
_DIGITS = 6


class Visualised(NamedTuple):
    """What the neurons of a run's experts respond to."""

    neurons: dict[str, Any]
    """The content of fig3.json."""
    images: dict[str, NDArray[np.uint8]]
    """Expert to the images (unit, H, W, 3), units in the order of `neurons`."""
    folder: Path
    """Where fig3 is."""


def visualise(
    run: str | Path,
    stage: str,
    *,
    units: str = "8",
    ascent: Ascent | None = None,
    seed_of_run: int | None = None,
    out: Path | None = None,
) -> Visualised:
    """Raise the same units of every expert of a finished run, all from one noise image, and draw.

    `units` are numbers with commas ("0,5,7"; one alone as "5,"), or a count of units to draw
    without replacement with the seed of the ascent. `seed_of_run` names one of the run's trainings,
    by default the first. The figure and its numbers go to `out`, by default the run's figures.
    Raises `RunError` for a folder without a finished run or the networks asked for, or where `out`
    cannot be written; `BackboneError` for an unknown stage, `StudyError` for impossible units.
    """
    ascent = ascent or Ascent()
    machine = set_up_machine(RuntimeConfig())
    finished = FinishedRun.open(Path(run))
    seed = finished.seeds[0] if seed_of_run is None else seed_of_run
    networks = {name: finished.network(name, seed) for name in finished.experts}
    backbone, size = finished.backbone.name, finished.size
    chosen = parse_units(units)
    if isinstance(chosen, int):
        first = next(iter(networks.values()))
        count = count_units(first, backbone, stage, size)
        chosen = draw_units(chosen, count, ascent.seed)
    folder = out or Path(run) / "figures"
    make_folder(folder)  # before the long work that it should hold
    found, images = {}, {}
    for name, network in networks.items():
        place(network, machine.device)
        title = f"neurons of {name}"
        responses = respond(network, backbone, stage, chosen, size, ascent, title)
        found[name] = _rows(chosen, responses)
        images_UHWC = responses.images_UCHW.permute(0, 2, 3, 1).round().byte()
        images[name] = images_UHWC.contiguous().numpy()
    neurons = {
        "run": finished.results.name,
        "seed_of_run": seed,
        "backbone": backbone,
        "stage": stage,
        "size": size,
        "form": ascent.form,
        "steps": ascent.steps,
        "seed": ascent.seed,
        "units": list(chosen),
        "clean": finished.results.clean,
        "rules": _RULES,
        "off": {name: sum(row["off"] for row in rows) for name, rows in found.items()},
        "neurons": found,
        "provenance": provenance(machine),
    }
    write_neurons(neurons, images, folder)
    return Visualised(neurons, images, folder)


def parse_units(text: str) -> tuple[int, ...] | int:
    """A tuple of units, each once, from numbers with commas; or a count from one number alone.

    Raises `StudyError` for anything else.
    """
    try:
        units = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        units = ()
    if not units or min(units) < 0 or ("," not in text and units[0] < 1):
        raise StudyError(
            f"--units {text}: write units with commas, such as 0,5,7 (one alone as 5,), or how "
            "many to draw"
        )
    return tuple(dict.fromkeys(units)) if "," in text else units[0]


def draw_units(count: int, of: int, seed: int) -> tuple[int, ...]:
    """Draw so many of a stage's units without replacement, in rising order, from the seed alone.

    Raises `StudyError` if there are not that many.
    """
    if count > of:
        raise StudyError(f"--units {count}: the stage has only {of} units")
    drawn = random.Random(derive_seed(seed, "neurons", "units")).sample(range(of), count)
    return tuple(sorted(drawn))


def _rows(units: tuple[int, ...], responses: Responses) -> list[dict[str, float | bool]]:
    columns = (responses.start_U, responses.end_U, responses.ratio_U)
    numbers = [[round(float(value), _DIGITS) for value in column] for column in columns]
    rows = zip(units, *numbers, responses.off_U.tolist(), strict=True)
    return [
        {"unit": unit, "start": start, "end": end, "ratio": ratio, "off": off}
        for unit, start, end, ratio, off in rows
    ]
