"""Every classifier of timm and torchvision, planned for new classes: which are refused, and how.

Shapes only, so that no network is too large. A refusal that says why is right for what gives no
scores; anything else that a network ends in is a fault of ours.
"""

import os
from collections.abc import Sequence

import timm
import torchvision

from mixqual.bench.timing import Ratio
from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks import check_backbone

_EVERY = 1  # of so many names one is tried


def measure() -> list[Ratio]:
    """Plan each network at the size of its own weights."""
    libraries = {
        "timm": timm.list_models(),
        "torchvision": torchvision.models.list_models(module=torchvision.models),
    }
    return [row for name, models in libraries.items() for row in _tried(name, models[::_EVERY])]


def _tried(library: str, models: Sequence[str]) -> list[Ratio]:
    refused, failed = [], []
    for model in models:
        config = BackboneConfig(name=f"{library}/{model}", weights="random")
        try:
            check_backbone(config, _size(library, model))
        except BackboneError:
            refused.append(model)
        except Exception as error:  # what is looked for
            failed.append(f"{model} ({type(error).__name__})")
    of_all = f"the {len(models)} of {library}"
    return [
        _share("classifiers that are refused in words", of_all, refused, len(models)),
        _share("classifiers that end in another error", of_all, failed, len(models)),
    ]


def _share(what: str, of_all: str, names: Sequence[str], count: int) -> Ratio:
    share = len(names) / count
    settings = f"{len(names)}: {', '.join(names) or 'none'}; {os.cpu_count()} cores"
    return Ratio(what, of_all, share, share, share, 1, settings)


def _size(library: str, model: str) -> int:
    if library == "torchvision":
        transforms = torchvision.models.get_model_weights(model).DEFAULT.transforms()
        return int(transforms.crop_size[0])
    defaults = timm.get_pretrained_cfg(model)
    return int(defaults.input_size[1]) if defaults else 224
