"""How the time of a sweep grows with its images, levels, experts and threads."""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

from mixqual.backends import Accelerated, accelerate
from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, Round, ratio_of, time_in_turn
from mixqual.config import BackboneConfig
from mixqual.data import ImageSet
from mixqual.distortions import distortion
from mixqual.evaluation import OutputArray, Predictor, grid_cells, sweep
from mixqual.networks import build_classifier
from mixqual.runtime import place

_CPU = torch.device("cpu")
_BACKBONE = "timm/tf_efficientnet_lite0"
_SIDE, _BATCH, _CLASSES, _REPETITIONS = 64, 32, 4, 5
_WORST = 100.0  # grey levels of noise


class _Size(NamedTuple):
    images: int = 64
    levels: int = 2
    experts: int = 1
    threads: int = 1


_BASE = _Size()
_AXES: Mapping[str, tuple[int, ...]] = {
    "images": (32, 64, 128, 256),
    "levels": (2, 4, 8, 16),
    "experts": (1, 2, 4),
    "threads": (1, 2),
}


def measure() -> list[Ratio]:
    """Along each axis, the rest as in `_BASE`. Linear is a ratio of 1, and an exponent of 1.

    Of threads it is the seconds times the threads that should stay, and the exponent is that of
    one over their number.
    """
    before = torch.get_num_threads()
    images = noise_images(max(_AXES["images"]), _SIDE)
    networks = [_network(seed) for seed in range(max(_AXES["experts"]))]
    calls: dict[str, Callable[[], object]] = {}
    for axis, sizes in _AXES.items():
        for size in sizes:
            what = _BASE._replace(**{axis: size})
            calls[_name(axis, size)] = partial(_sweep, networks, images, what)
    try:
        rounds = time_in_turn(calls, _REPETITIONS)
    finally:
        torch.set_num_threads(before)
    return [row for axis in _AXES for row in (_for_each(axis, rounds), _exponent(axis, rounds))]


def fit_power(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The exponent and the constant of seconds = constant · amount^exponent, by least squares.

    On a log-log scale, of two or more points of different amounts: the exponent is the slope.
    """
    amounts_P, seconds_P = np.log(np.array(points, dtype=np.float64)).T
    exponent, height = np.polyfit(amounts_P, seconds_P, 1)
    return float(exponent), math.exp(height)


def _for_each(axis: str, rounds: Sequence[Round]) -> Ratio:
    few, many = min(_AXES[axis]), max(_AXES[axis])
    unit = axis.removesuffix("s")
    what, against = f"sweep, seconds for each of {many} {axis}", f"for each of {few}"
    if axis == "threads":
        what, against = f"sweep, seconds of all {many} {axis} together", f"of {few} {unit}"
    seconds = [
        {
            what: r[_name(axis, many)] / _amount(axis, many),
            against: r[_name(axis, few)] / _amount(axis, few),
        }
        for r in rounds
    ]
    return ratio_of(seconds, what, against, _settings(axis))


def _exponent(axis: str, rounds: Sequence[Round]) -> Ratio:
    sizes = _AXES[axis]
    exponents = [
        fit_power([(_amount(axis, size), r[_name(axis, size)]) for size in sizes])[0]
        for r in rounds
    ]
    curve = tuple(
        (_amount(axis, size), median(r[_name(axis, size)] for r in rounds)) for size in sizes
    )
    exponent, constant = fit_power(curve)
    amount = "(1 / threads)" if axis == "threads" else axis
    return Ratio(
        f"sweep, exponent of {amount}",
        "1, which is linear",
        median(exponents),
        min(exponents),
        max(exponents),
        len(rounds),
        f"{_settings(axis)}; {constant:.4f} s times {amount} to the power of {exponent:.2f}",
        curve,
    )


def _amount(axis: str, size: int) -> float:
    return 1 / size if axis == "threads" else float(size)


def _name(axis: str, size: int) -> str:
    return f"{size} {axis}"


def _network(seed: int) -> Accelerated:
    config = BackboneConfig(name=_BACKBONE, weights="random")
    network = place(build_classifier(config, _CLASSES, seed), _CPU).eval()
    return accelerate(network, torch.zeros(_BATCH, 3, _SIDE, _SIDE), 1, "eager")


def _sweep(networks: Sequence[Accelerated], images: ImageSet, size: _Size) -> None:
    torch.set_num_threads(size.threads)
    levels = tuple(_WORST * level / (size.levels - 1) for level in range(size.levels))
    chosen = ImageSet(images.images, images.indices_N[: size.images])
    with tempfile.TemporaryDirectory() as folder:
        arrays = {
            str(expert): OutputArray(Path(folder) / str(expert), size.images, _CLASSES)
            for expert in range(size.experts)
        }
        sweep(
            {name: _predictor(networks[int(name)]) for name in arrays},
            arrays,
            chosen,
            grid_cells({"gaussian_noise": levels}, {}),
            {"gaussian_noise": distortion("gaussian_noise")},
            seed=0,
            batch_size=_BATCH,
            device=_CPU,
            title="bench",
        )


def _predictor(network: Accelerated) -> Predictor:
    return lambda images_BCHW, _: network.forward(images_BCHW)


def _settings(axis: str) -> str:
    others = ", ".join(f"{n} {name}" for name, n in _BASE._asdict().items() if name != axis)
    return f"{_BACKBONE}, eager, at {_SIDE} pixels, batch {_BATCH}, noise; {others}"
