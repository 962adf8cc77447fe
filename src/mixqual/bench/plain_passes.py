"""A sweep as one writes it without mixqual: for each model and level, a pass over the image files.

`sweep` runs it as a process of its own: contiguous tensors, untouched allocator. A line of input
names a model and a `plain_transform`, such as "mixture gaussian_blur 2.5"; a line of output says
that the pass is made.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from mixqual.bench.peers.registry import width_of
from mixqual.config import BackboneConfig
from mixqual.networks import Gate, Preprocessing, backbone_preprocessing, build_classifier

WORKERS, EXPERTS = 2, 3
_FULL, _RESIZED = 224, 256  # the sides of the usual transforms, whose ratio is kept

Model = Callable[[Tensor], Tensor]
Loader = DataLoader[tuple[Tensor, Tensor]]


def plain_transform(
    side: int, preprocessing: Preprocessing, kind: str, level: float
) -> Callable[[Image.Image], Tensor]:
    """The usual transforms, with noise or blur of one level in grey levels or pixels between."""
    transform: Callable[[Image.Image], Tensor] = transforms.Compose(
        [
            transforms.Resize(round(side * _RESIZED / _FULL)),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            *_damage(kind, level),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    return transform


def plain_models(networks: Sequence[nn.Module], gate: nn.Module) -> dict[str, Model]:
    """A single model, and ensembles that run their experts anew: normalised images in."""

    def average(images_BCHW: Tensor) -> Tensor:
        return torch.stack([network(images_BCHW).softmax(1) for network in networks]).mean(0)

    def favourite(images_BCHW: Tensor) -> Tensor:
        chosen_B = gate(images_BCHW).mean((2, 3)).argmax(1)
        found_BK = [torch.empty(0)] * len(chosen_B)
        for expert, network in enumerate(networks):
            places = (chosen_B == expert).nonzero().flatten()
            if len(places):
                outputs_BK = network(images_BCHW[places]).softmax(1)
                for place, output_K in zip(places.tolist(), outputs_BK, strict=True):
                    found_BK[place] = output_K
        return torch.stack(found_BK)

    def mixture(images_BCHW: Tensor) -> Tensor:
        weights_BE: Tensor = gate(images_BCHW).mean((2, 3)).softmax(1)
        outputs_BEK = torch.stack([network(images_BCHW).softmax(1) for network in networks], 1)
        return (weights_BE[:, :, None] * outputs_BEK).sum(1)

    def single(images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = networks[0](images_BCHW)
        return logits_BK.softmax(1)

    return {"single": single, "average": average, "favourite": favourite, "mixture": mixture}


def main(folder: str, backbone: str, classes: int, side: int, batch: int, threads: int) -> None:
    """Make a pass for each line of standard input."""
    torch.set_num_threads(threads)
    config = BackboneConfig(name=backbone, weights="random")
    preprocessing = backbone_preprocessing(config)
    models = plain_models(
        [build_classifier(config, classes, seed).backbone.eval() for seed in range(EXPERTS)],
        Gate(EXPERTS, preprocessing).layers.eval(),
    )
    loaders: dict[tuple[str, float], Loader] = {}
    for line in sys.stdin:
        model, kind, level = line.split()
        damage = kind, float(level)
        if damage not in loaders:
            transform = plain_transform(side, preprocessing, *damage)
            # The workers stay between passes, so that their start is not counted.
            loaders[damage] = DataLoader(
                ImageFolder(folder, transform), batch, num_workers=WORKERS, persistent_workers=True
            )
        with torch.inference_mode():
            for images_BCHW, _ in loaders[damage]:
                models[model](images_BCHW)
        sys.stdout.write("\n")
        sys.stdout.flush()


def _damage(kind: str, level: float) -> list[Callable[[Tensor], Tensor]]:
    if kind == "gaussian_noise":
        return [partial(_with_noise, level)]
    if kind == "gaussian_blur":
        return [transforms.GaussianBlur(width_of(4 * level), level)]
    return []


def _with_noise(level: float, image_CHW: Tensor) -> Tensor:
    """Noise of a deviation in grey levels, on an image in 0...1."""
    return image_CHW + torch.randn(image_CHW.shape) * (level / 255)


if __name__ == "__main__":
    _folder, _backbone, *_numbers = sys.argv[1:]
    main(_folder, _backbone, *map(int, _numbers))
