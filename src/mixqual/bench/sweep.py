"""The paper's grid, swept: against its forward passes, and against a pass for each model and level.

Four single models, three of which are experts, and a gate run once for each image and level, and
four ensembles are made of what they say. The floor is those forward passes on tensors that are
ready; the peer is `plain_passes`, of which a sample is made and weighed.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mixqual.backends import BACKENDS, Accelerated, accelerate, unusable_backends
from mixqual.bench.pictures import write_pictures
from mixqual.bench.plain import other_process
from mixqual.bench.plain_passes import EXPERTS, WORKERS
from mixqual.bench.scratch import scratch_folder
from mixqual.bench.timing import Ratio, Round, ratio_of, time_in_turn
from mixqual.config import BackboneConfig, DataConfig
from mixqual.data import ImageSet, decode_images, index_images, open_images
from mixqual.distortions import distortion
from mixqual.evaluation import OutputArray, Predictor, grid_cells, sweep
from mixqual.fusion import average, hard_mix, maximum, mix
from mixqual.networks import Gate, backbone_preprocessing, build_classifier
from mixqual.runtime import place

_CPU = torch.device("cpu")
_CONFIG = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="random")
_SIDE, _FILE_SIDE, _IMAGES, _BATCH, _CLASSES = 128, 300, 64, 32, 4
_SINGLES, _STEPS, _REPETITIONS = 4, 10, 3
_WORST_NOISE, _WORST_BLUR_AT_224 = 100.0, 10.0  # grey levels, pixels

_SINGLE_AND_ENSEMBLES = {"single": _SINGLES, "average": 2, "favourite": 1, "mixture": 1}
"""For how many models of the grid a pass of the peer stands: M_max costs what M_avg does."""

Networks = Mapping[str, Accelerated]


def measure() -> list[Ratio]:
    """Sweep by every backend that this machine has; `unusable_backends` names the others."""
    with scratch_folder() as scratch:
        files = write_pictures(scratch / "files", _IMAGES, (_FILE_SIDE, _FILE_SIDE), "png")
        _decode(files, scratch / "decoded")
        images = ImageSet(open_images(scratch / "decoded", 64), np.arange(_IMAGES))
        ready = [
            images.batch(range(start, min(start + _BATCH, _IMAGES)))[0]
            for start in range(0, _IMAGES, _BATCH)
        ]
        calls: dict[str, Callable[[], object]] = {"decoding": partial(_decode_again, files)}
        backends = [backend for backend in BACKENDS if backend not in unusable_backends()]
        for backend in backends:
            networks = _networks(ready[0], backend)
            calls[f"sweep, {backend}"] = partial(_sweep, networks, images)
            calls[f"floor, {backend}"] = partial(_forward_only, networks, ready)
        with _passes(files) as passes:
            rounds = time_in_turn({**calls, **passes}, _REPETITIONS)
    return [*_against_floors(rounds, backends), *_against_passes(rounds, backends)]


def _against_floors(rounds: list[Round], backends: list[str]) -> list[Ratio]:
    floor = "floor: the same forward passes on ready tensors"
    found = []
    for backend in backends:
        what = f"sweep, {backend}"
        seconds = [{what: r[what], floor: r[f"floor, {backend}"]} for r in rounds]
        found.append(ratio_of(seconds, what, floor, _settings()))
    return found


def _against_passes(rounds: list[Round], backends: list[str]) -> list[Ratio]:
    """mixqual's side decodes too, as each pass of the peer does."""
    peer = (
        f"torchvision {version('torchvision')}, DataLoader of torch {version('torch')}: a pass for "
        "each model and level"
    )
    others = {peer: _weights(), f"{peer}, if blur were as quick as noise": _as_noise()}
    sampled = ", ".join(f"{kind} {level:.3g}" for kind, level in _weights())
    settings = (
        f"{_settings()}, decoding included; {WORKERS} workers, which run before the clock does; "
        f"of the peer {', '.join(_SINGLE_AND_ENSEMBLES)} at {sampled} were run and weighed"
    )
    found = []
    for against, weights in others.items():
        for backend in backends:
            what = f"sweep with decoding, {backend}"
            seconds = [
                {
                    what: r["decoding"] + r[f"sweep, {backend}"],
                    against: sum(
                        models * levels * r[_line(model, *damage)]
                        for model, models in _SINGLE_AND_ENSEMBLES.items()
                        for damage, levels in weights.items()
                    ),
                }
                for r in rounds
            ]
            found.append(ratio_of(seconds, what, against, settings))
    return found


def _levels() -> dict[str, tuple[float, ...]]:
    worst = {"gaussian_noise": _WORST_NOISE, "gaussian_blur": _WORST_BLUR_AT_224 * _SIDE / 224}
    return {
        name: tuple(level * step / _STEPS for step in range(_STEPS + 1))
        for name, level in worst.items()
    }


def _weights() -> dict[tuple[str, float], int]:
    """What is run of the peer's levels, and for how many each stands.

    Noise takes as long at every level; of blur each odd level stands for the next one, too, which
    takes longer.
    """
    noise, blur = _levels().values()
    return {
        ("clean", 0.0): 1,
        ("gaussian_noise", noise[_STEPS // 2]): _STEPS,
        **{("gaussian_blur", level): 2 for level in blur[1::2]},
    }


def _as_noise() -> dict[tuple[str, float], int]:
    """The same with noise in the place of blur, which torchvision is slow at."""
    (clean, _), (noise, _), *_ = _weights().items()
    return {clean: 1, noise: 2 * _STEPS}


def _networks(example_BCHW: Tensor, backend: str) -> dict[str, Accelerated]:
    networks: dict[str, nn.Module] = {
        f"network {seed}": build_classifier(_CONFIG, _CLASSES, seed) for seed in range(_SINGLES)
    }
    networks["gate"] = Gate(EXPERTS, backbone_preprocessing(_CONFIG))
    return {
        name: accelerate(place(network, _CPU).eval(), example_BCHW, _IMAGES, backend)
        for name, network in networks.items()
    }


def _sweep(networks: Networks, images: ImageSet) -> None:
    levels = _levels()
    cells = grid_cells(levels, {})
    with tempfile.TemporaryDirectory() as folder:
        arrays = {
            name: OutputArray(Path(folder) / name, _IMAGES, EXPERTS if name == "gate" else _CLASSES)
            for name in networks
        }
        sweep(
            {name: _predictor(network, name) for name, network in networks.items()},
            arrays,
            images,
            cells,
            {name: distortion(name) for name in levels},
            seed=0,
            batch_size=_BATCH,
            device=_CPU,
            title="bench",
        )
        experts = [f"network {seed}" for seed in range(EXPERTS)]
        for cell in cells:
            p_ENK = np.stack([arrays[name].read(cell) for name in experts])
            w_NE = arrays["gate"].read(cell)
            ensembles = average(p_ENK), hard_mix(p_ENK, w_NE), mix(p_ENK, w_NE)
            np.stack(ensembles).argmax(2)
            maximum(p_ENK)


def _predictor(network: Accelerated, name: str) -> Predictor:
    if name == "gate":
        return lambda images_BCHW, _: network.forward(images_BCHW)
    return lambda images_BCHW, _: network.forward(images_BCHW).softmax(1)


def _forward_only(networks: Networks, ready: list[Tensor]) -> None:
    with torch.inference_mode():
        for _ in grid_cells(_levels(), {}):
            for images_BCHW in ready:
                for network in networks.values():
                    network.forward(images_BCHW)


@contextmanager
def _passes(files: Path) -> Iterator[dict[str, Callable[[], object]]]:
    """A call for each sampled pass of the peer."""
    numbers = (_CLASSES, _SIDE, _BATCH, torch.get_num_threads())
    module = "mixqual.bench.plain_passes"
    with other_process("-m", module, str(files), _CONFIG.name, *map(str, numbers)) as ask:
        lines = [_line(model, *damage) for model in _SINGLE_AND_ENSEMBLES for damage in _weights()]
        yield {line: partial(ask, line) for line in lines}


def _line(model: str, kind: str, level: float) -> str:
    return f"{model} {kind} {level}"


def _decode_again(files: Path) -> None:
    with scratch_folder() as scratch:
        _decode(files, scratch / "decoded")


def _decode(files: Path, folder: Path) -> None:
    decode_images(
        index_images(DataConfig(source="folder", path=str(files))),
        folder,
        size=_SIDE,
        interpolation="bilinear",
        workers=WORKERS,
        on_error="raise",
    )


def _settings() -> str:
    return (
        f"{_SINGLES} {_CONFIG.name}, a gate, 4 ensembles at {_SIDE} pixels, noise and blur of "
        f"{_STEPS + 1} levels, {_IMAGES} images, batch {_BATCH}, {torch.get_num_threads()} threads"
    )
