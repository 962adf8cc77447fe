"""Sweeping trees of one backbone together, against a sweep of each."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, compare
from mixqual.config import BackboneConfig
from mixqual.data import ImageSet
from mixqual.distortions import distortion
from mixqual.evaluation import OutputArray, Predictor, grid_cells, sweep
from mixqual.networks import (
    BranchedClassifier,
    FirstStages,
    Gate,
    Mixture,
    Sharing,
    Stages,
    backbone_preprocessing,
    build_classifier,
)
from mixqual.runtime import place

_CPU = torch.device("cpu")
_BACKBONE, _UNTIL = "timm/tf_efficientnet_lite0", ("blocks.2", "blocks.4", "blocks.6")
_IMAGES, _SIDE, _BATCH, _CLASSES, _EXPERTS = 32, 128, 32, 4, 3
_LEVELS = {"gaussian_noise": (0.0, 100.0), "gaussian_blur": (0.0, 6.0)}
_REPETITIONS = 5


def measure() -> list[Ratio]:
    """The mixtures of some branch points, and their controls."""
    images = noise_images(_IMAGES, _SIDE)
    found = []
    for what, kind in (("TreeNets", _tree), ("controls of TreeNets", _control)):
        apart = {until: kind(until) for until in _UNTIL}
        together = _together(apart)

        def each(apart: Mapping[str, Mixture | BranchedClassifier] = apart) -> None:
            for until, network in apart.items():
                _sweep({until: network}, images)

        def all_at_once(together: Mapping[str, Mixture | BranchedClassifier] = together) -> None:
            _sweep(together, images)

        found.append(
            compare(
                f"sweep of {len(_UNTIL)} {what}, together",
                all_at_once,
                "each on its own",
                each,
                settings=(
                    f"{_BACKBONE} at {_SIDE} pixels until {', '.join(_UNTIL)}; {_EXPERTS} experts, "
                    f"{_IMAGES} images, batch {_BATCH}, {torch.get_num_threads()} threads"
                ),
                repetitions=_REPETITIONS,
            )
        )
    return found


def _stages() -> Stages:
    config = BackboneConfig(name=_BACKBONE, weights="random")
    return Stages(place(build_classifier(config, _CLASSES, 0), _CPU).eval(), _BACKBONE)


def _tree(until: str) -> Mixture:
    parts = _stages().divide(Sharing(until=until))
    own = [parts.branch.state_dict() for _ in range(_EXPERTS - 1)]  # copied by the mixture
    preprocessing = backbone_preprocessing(BackboneConfig(name=_BACKBONE, weights="random"))
    mixture = Mixture.shared(parts, [None, *own], Gate(_EXPERTS, preprocessing))
    return place(mixture, _CPU).eval()


def _control(until: str) -> BranchedClassifier:
    return BranchedClassifier(_stages().divide(Sharing(until=until))).eval()


def _together(
    apart: Mapping[str, Mixture | BranchedClassifier],
) -> dict[str, Mixture | BranchedClassifier]:
    """The same behind common first stages, as a study sweeps them."""
    first = FirstStages(_stages(), _UNTIL)
    found: dict[str, Mixture | BranchedClassifier] = {}
    for until, network in apart.items():
        prefix = first.until(until)
        if isinstance(network, Mixture):
            found[until] = Mixture(prefix, list(network.branches), None, network.gate).eval()
        else:
            found[until] = network.after(prefix)
    return found


def _sweep(networks: Mapping[str, nn.Module], images: ImageSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sweep(
            {name: _predictor(network) for name, network in networks.items()},
            {name: OutputArray(Path(folder) / name, _IMAGES, _CLASSES) for name in networks},
            images,
            grid_cells(_LEVELS, {}),
            {name: distortion(name) for name in _LEVELS},
            seed=0,
            batch_size=_BATCH,
            device=_CPU,
            title="bench",
        )


def _predictor(network: nn.Module) -> Predictor:
    if isinstance(network, Mixture):
        return lambda images_BCHW, _: network(images_BCHW)[0]
    return lambda images_BCHW, _: network(images_BCHW)
