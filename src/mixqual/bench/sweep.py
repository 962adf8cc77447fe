"""The sweep against its floor: the same forward passes on tensors that are ready."""

import tempfile
from pathlib import Path

import torch
from torch import nn

from mixqual.bench.noise_images import noise_images
from mixqual.bench.timing import Ratio, compare
from mixqual.config import BackboneConfig
from mixqual.distortions import distortion
from mixqual.evaluation import OutputArray, Predictor, grid_cells, sweep
from mixqual.networks import build_classifier
from mixqual.runtime import place

_IMAGES, _SIDE, _BATCH, _NETWORKS = 128, 128, 64, 4


def measure() -> list[Ratio]:
    """Sweep four EfficientNet-Lite0 over a coarse grid of noise and blur."""
    levels = {"gaussian_noise": (0.0, 50.0, 100.0), "gaussian_blur": (0.0, 3.0, 6.0)}
    cells = grid_cells(levels, {})
    distortions = {name: distortion(name) for name in levels}
    config = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="random")
    networks = {
        f"network {seed}": place(build_classifier(config, 4, seed), torch.device("cpu")).eval()
        for seed in range(_NETWORKS)
    }
    images = noise_images(_IMAGES, _SIDE)
    ready_BCHW = [
        images.batch(range(start, start + _BATCH))[0] for start in range(0, _IMAGES, _BATCH)
    ]

    def swept() -> None:
        with tempfile.TemporaryDirectory() as folder:
            arrays = {name: OutputArray(Path(folder) / name, _IMAGES, 4) for name in networks}
            sweep(
                {name: _ignoring_cells(network) for name, network in networks.items()},
                arrays,
                images,
                cells,
                distortions,
                seed=0,
                batch_size=_BATCH,
                device=torch.device("cpu"),
                title="bench",
            )

    def forward_only() -> None:
        with torch.inference_mode():
            for _ in cells:
                for batch_BCHW in ready_BCHW:
                    for network in networks.values():
                        network(batch_BCHW)

    settings = (
        f"{_NETWORKS} tf_efficientnet_lite0 at {_SIDE} pixels, {_IMAGES} images, {len(cells)} "
        f"cells, batch {_BATCH}, {torch.get_num_threads()} threads"
    )
    return [
        compare(
            "sweep",
            swept,
            "floor: forward passes on ready tensors",
            forward_only,
            settings=settings,
            repetitions=5,
        )
    ]


def _ignoring_cells(network: nn.Module) -> Predictor:
    return lambda images_BCHW, _: network(images_BCHW)
