"""How far a model's answers can be trusted, and what that is worth on test images.

On validation images, in all cells whose distortions are not held out, its probabilities are made
honest by one temperature, and two confidences are found that part usable answers, doubtful ones,
and images to take again. What comes of it is measured on the test images.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixqual.evaluation import (
    HELD_BYTES,
    Answered,
    Bootstrap,
    Cell,
    Cube,
    Predicted,
    Verdicts,
    find_verdicts,
    fit_temperature,
    level_rows,
    measure_answers,
    risk_coverage,
    with_temperature,
)
from mixqual.fusion import mix
from mixqual.plan import Plan
from mixqual.results.names import AVERAGE, HELD_OUT

USABLE_ERROR, RETAKE_ERROR = 0.1, 0.5
_COVERAGES = np.linspace(0.05, 1, 20)
_DIGITS = 6

RULE = (
    "usable: at least as sure as the lowest confidence above which at most "
    f"{USABLE_ERROR:.0%} of the validation images, in all cells that are not held out, are wrong; "
    f"retake: less sure than the highest confidence below which at least {RETAKE_ERROR:.0%} are "
    "wrong; doubtful: between them. Confidences are calibrated by the temperature."
)


def trust(
    plan: Plan,
    model: str,
    seed: int,
    val: Predicted,
    test: Predicted,
    bootstrap: Bootstrap,
    held_bytes: int = HELD_BYTES,
) -> dict[str, Any]:
    """Calibrate a model of one training, and measure its verdicts: a row of `trust` in results.

    `val` and `test` are what the model says of these splits. Memory is that of some parts of them,
    and of `held_bytes`, whatever their size.
    """
    known = [cell for cell in val.cells if cell.distortion not in plan.held_out]
    temperature = fit_temperature(
        lambda: (
            (val.read(cell, part), val.labels_N[part]) for cell, part in product(known, val.parts)
        ),
        held_bytes,
    )
    honest = [_answers(val, cell, [temperature])[0] for cell in known]
    verdicts = find_verdicts(
        np.concatenate([said.confidence_N for said in honest]),
        np.concatenate([said.class_N == val.labels_N for said in honest]),
        USABLE_ERROR,
        RETAKE_ERROR,
    )
    return {
        "model": model,
        "seed": seed,
        # Not rounded: an image stands right on each border.
        "temperature": temperature,
        "usable": verdicts.usable,
        "retake": verdicts.retake,
        "rule": RULE,
        **_measured(plan, test, temperature, verdicts, bootstrap),
    }


def of_experts(cube: Cube, experts: Sequence[str]) -> Predicted:
    """What M_mix says of the images of a cube, which holds its experts and the gate's "gate"."""
    gate = cube.arrays["gate"]
    return Predicted(
        cube.cells,
        cube.labels_N,
        cube.arrays[experts[0]].outputs,
        lambda cell, part: mix(cube.read(cell, experts, part), gate.read(cell, part)),
    )


def of_network(cube: Cube, name: str) -> Predicted:
    """What one network of a cube says of its images."""
    array = cube.arrays[name]
    return Predicted(cube.cells, cube.labels_N, array.outputs, array.read)


def _answers(
    predicted: Predicted, cell: Cell, temperatures: Sequence[float | None]
) -> list[Answered]:
    """What a model answers in a cell by each temperature; None leaves its probabilities alone."""
    found: list[list[Answered]] = [[] for _ in temperatures]
    for part in predicted.parts:
        p_NK = predicted.read(cell, part)
        for parts, temperature in zip(found, temperatures, strict=True):
            honest_NK = p_NK if temperature is None else with_temperature(p_NK, temperature)
            parts.append(Answered.of(honest_NK, predicted.labels_N[part]))
    return [Answered.joined(parts) for parts in found]


def _measured(
    plan: Plan,
    test: Predicted,
    temperature: float,
    verdicts: Verdicts,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    answered = [_answers(test, cell, [None, temperature]) for cell in test.cells]
    confidence_VN = np.stack([honest.confidence_N for _, honest in answered])
    right_VN = np.stack([honest.class_N for _, honest in answered]) == test.labels_N
    measured = [
        [measure_answers(said, test.labels_N) for said in by_cell]
        for by_cell in zip(*answered, strict=True)
    ]
    rows = {name: level_rows(test.cells, name, plan.levels[name]) for name in plan.levels}
    seen = [name for name in rows if name not in plan.held_out]
    groups = {**rows, AVERAGE: sorted({row for name in seen for row in rows[name]})}
    if plan.held_out:
        groups[HELD_OUT] = sorted({row for name in plan.held_out for row in rows[name]})
    calibration = {
        name: {
            metric: [
                round(float(np.mean([by_cell[row][metric] for row in cells])), 6)
                for by_cell in measured
            ]
            for metric in ("nll", "ece")
        }
        for name, cells in groups.items()
    }
    return {
        "calibration": calibration,
        "verdicts": {
            name: _shares(verdicts.of(confidence_VN[cells]), right_VN[cells], bootstrap)
            for name, cells in groups.items()
        },
        "risk_coverage": {
            name: _curve(confidence_VN[cells], right_VN[cells], bootstrap)
            for name, cells in groups.items()
        },
    }


def _shares(
    verdict_VN: NDArray[np.str_], right_VN: NDArray[np.bool_], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Of each verdict the share of images that get it, and of these the share that is wrong."""
    found = {}
    for verdict in ("usable", "doubtful", "retake"):
        of_VN = verdict_VN == verdict
        count, wrong = int(of_VN.sum()), int((of_VN & ~right_VN).sum())
        found[verdict] = {
            "share": round(count / of_VN.size, _DIGITS),
            "error": round(wrong / count, _DIGITS) if count else None,
            "error_ci95": _rounded(
                bootstrap.ratio_interval((of_VN & ~right_VN).sum(0), of_VN.sum(0))
            ),
        }
    return found


def _rounded(interval: tuple[float, float] | None) -> list[float] | None:
    return [round(end, _DIGITS) for end in interval] if interval else None


def _curve(
    confidence_VN: NDArray[np.float64], right_VN: NDArray[np.bool_], bootstrap: Bootstrap
) -> dict[str, Any]:
    """The risk of the surest answers against their share; the intervals are over the images."""
    order = np.argsort(-confidence_VN.ravel(), kind="stable")
    images = np.tile(np.arange(confidence_VN.shape[1]), len(confidence_VN))[order]
    wrong = ~right_VN.ravel()[order]
    intervals = []
    for coverage in _COVERAGES:
        kept = max(1, round(coverage * len(order)))
        counts_N = np.bincount(images[:kept], minlength=confidence_VN.shape[1])
        wrong_N = np.bincount(images[:kept], wrong[:kept], confidence_VN.shape[1])
        intervals.append(_rounded(bootstrap.ratio_interval(wrong_N, counts_N)))
    risks = risk_coverage(confidence_VN.ravel(), right_VN.ravel(), _COVERAGES)
    return {
        "coverage": [round(float(value), 2) for value in _COVERAGES],
        "risk": [round(float(value), _DIGITS) for value in risks],
        "ci95": intervals,
    }
