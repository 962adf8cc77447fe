"""Training and sweeps on the device that a run takes, against the network alone there.

The bound is the network's operations at the rate of a large matrix product there, whose float32 is
that of convolutions: TF32 on a GPU that has it.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, Round, ratio_of, time_in_turn
from mixqual.bench.training_task import training_task
from mixqual.config import BackboneConfig
from mixqual.data import ImageSet
from mixqual.distortions import distortion
from mixqual.evaluation import CLEAN_CELL, Cell, OutputArray, Predictor, count, sweep
from mixqual.lookahead import made_ahead
from mixqual.networks import Classifier, build_classifier
from mixqual.runtime import place
from mixqual.training.checkpoints import Progress
from mixqual.training.steps import Forward, in_precision, share, take_step
from mixqual.training.task import batches

_BACKBONE, _SIDE, _CLASSES = "torchvision/vgg16", 224, 1000
_TRAINED, _SWEPT = 32, 64
"""Images of a batch, as settings have them."""
_BATCHES, _REPETITIONS = 8, 5
_LEVELS = {"gaussian_noise": 50.0, "gaussian_blur": 5.0}
_SHARE = 0.25
"""Of a batch in training, for each distortion."""
_PRODUCT = 8192
"""Rows and columns of the product of matrices."""
_PRECISIONS = ("float32", "bfloat16")
_READY = "floor: the same on tensors that are ready"
_BOUND = "bound: its operations at the rate of a matrix product"

Calls = dict[str, Callable[[], object]]


def measure() -> list[Ratio]:
    """Steps of training in both precisions, and sweeps of a cell by one network and by three."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = BackboneConfig(name=_BACKBONE, weights="random")
    networks = [place(build_classifier(config, _CLASSES, seed), device) for seed in range(3)]
    macs = count(networks[0], _SIDE).macs
    return [*_training(networks[0], macs, device), *_sweeps(networks, macs, device)]


def _training(network: Classifier, macs: int, device: torch.device) -> list[Ratio]:
    network.train()
    images = noise_images(_TRAINED * _BATCHES, _SIDE)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    worst = {name: 2 * level for name, level in _LEVELS.items()}
    task = training_task(images, noise_images(1, _SIDE), dict.fromkeys(_LEVELS, _SHARE), worst)
    accelerator = Accelerator(cpu=device.type == "cpu")
    ready_BCHW, labels_B = images.batch(range(_TRAINED), device)
    labels_B = labels_B.to(device)

    def steps(forward: Forward) -> None:
        at = Progress()
        draw = partial(share, task, accelerator)
        for images_BCHW, targets in made_ahead(batches(task, _TRAINED, 0, 0), draw, device):
            take_step(forward, optimizer, task, images_BCHW, targets, at, accelerator)

    def steps_when_ready(forward: Forward) -> None:
        for _ in range(_BATCHES):
            optimizer.zero_grad()
            loss = task.losses(forward(ready_BCHW), labels_B).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    calls: Calls = {}
    for precision in _PRECISIONS:
        forward = in_precision(network, precision, device)
        calls[precision] = partial(steps, forward)
        calls[f"{precision}, ready"] = partial(steps_when_ready, forward)
    rounds = _with_bound(calls, 3 * macs * _TRAINED * _BATCHES, device)
    settings = _settings(f"batch {_TRAINED}, {_SHARE:.0%} with noise and {_SHARE:.0%} with blur")
    found = []
    for precision in _PRECISIONS:
        what = f"training, {precision}"
        against = {_READY: f"{precision}, ready", _BOUND: f"bound, {precision}"}
        found += [_ratio(rounds, what, precision, *pair, settings) for pair in against.items()]
    return [
        *found,
        _ratio(rounds, "training, bfloat16", "bfloat16", "float32", "float32", settings),
    ]


def _sweeps(networks: list[Classifier], macs: int, device: torch.device) -> list[Ratio]:
    images = noise_images(_SWEPT * _BATCHES, _SIDE)
    ready_BCHW = images.batch(range(_SWEPT), device)[0]
    cells = [CLEAN_CELL, *(Cell(name, level, 0) for name, level in _LEVELS.items())]
    words = {"one network": networks[:1], f"{len(networks)} networks": networks}

    def forward(chosen: list[Classifier]) -> None:
        with torch.inference_mode():
            for _ in range(_BATCHES):
                for network in chosen:
                    network(ready_BCHW)

    calls: Calls = {}
    for by, chosen in words.items():
        calls[f"ready, {by}"] = partial(forward, [network.eval() for network in chosen])
        for cell in cells:
            calls[f"{cell.distortion}, {by}"] = partial(_sweep, chosen, images, cell, device)
    rounds = _with_bound(calls, macs * _SWEPT * _BATCHES, device)
    settings = _settings(f"batch {_SWEPT}")
    bound = _ratio(
        rounds, "forward passes", "ready, one network", _BOUND, "bound, float32", settings
    )
    return [bound] + [
        _ratio(
            rounds,
            f"sweep of {cell.distortion} by {by}",
            f"{cell.distortion}, {by}",
            _READY,
            f"ready, {by}",
            settings,
        )
        for by in words
        for cell in cells
    ]


def _sweep(networks: list[Classifier], images: ImageSet, cell: Cell, device: torch.device) -> None:
    def predictor(network: Classifier) -> Predictor:
        return lambda images_BCHW, _: network(images_BCHW)

    named = {str(number): network for number, network in enumerate(networks)}
    with tempfile.TemporaryDirectory() as folder:
        sweep(
            {name: predictor(network) for name, network in named.items()},
            {name: OutputArray(Path(folder) / name, len(images), _CLASSES) for name in named},
            images,
            [cell],
            {name: distortion(name) for name in _LEVELS},
            seed=0,
            batch_size=_SWEPT,
            device=device,
            title="bench",
        )


def _with_bound(calls: Calls, macs: int, device: torch.device) -> list[Round]:
    """The seconds of each call, and of as many operations as `macs` in products of matrices."""
    products = {f"bound, {p}": partial(_multiply, _matrix(p, device)) for p in _PRECISIONS}
    timed = time_in_turn(
        {name: _to_its_end(call, device) for name, call in (calls | products).items()}, _REPETITIONS
    )
    share_of_one = macs / _PRODUCT**3
    return [
        {name: taken * (share_of_one if name in products else 1) for name, taken in seconds.items()}
        for seconds in timed
    ]


def _matrix(precision: str, device: torch.device) -> Tensor:
    return torch.randn(_PRODUCT, _PRODUCT, device=device).to(getattr(torch, precision))


def _multiply(matrix_NN: Tensor) -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        matrix_NN @ matrix_NN
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _to_its_end(call: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """The call, until the device has done all of it."""

    def run() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def _ratio(
    rounds: list[Round], what: str, column: str, against: str, other: str, settings: str
) -> Ratio:
    return ratio_of([{what: r[column], against: r[other]} for r in rounds], what, against, settings)


def _settings(more: str) -> str:
    return (
        f"{_BACKBONE} at {_SIDE} pixels, {more}, {_BATCHES} batches, "
        f"{torch.get_num_threads()} threads"
    )
