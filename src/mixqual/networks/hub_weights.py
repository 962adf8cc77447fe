"""The weights that torchvision and timm fetch: where they come from, and whether they are here."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from urllib.parse import urlparse

import timm
import torch
import torchvision
from huggingface_hub import constants, try_to_load_from_cache
from torch import nn

from mixqual.errors import BackboneError
from mixqual.networks.weight_files import first_line

# What timm looks for in a repository that names no file.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


@final
@dataclass(frozen=True)
class HubWeights:
    """The weights of a backbone that a library fetches when it is first built."""

    backbone: str
    """Its library and name, in words."""
    source: str
    """A URL, or a repository on the hub of Hugging Face."""
    file: str
    megabytes: float | None
    """None where the library does not say."""
    folder: Path
    """Where the library keeps them."""
    is_here: bool
    """Whether they have been fetched."""

    def __str__(self) -> str:
        size = f", {self.megabytes:.0f} MB" if self.megabytes else ""
        return f"the weights of {self.backbone} ({self.file}{size}, from {self.source})"

    @property
    def remedy(self) -> str:
        """What a person without a network can do."""
        own = "set backbone.weights to a local .safetensors or .pth file"
        if urlparse(self.source).scheme:
            return f"put {self.file} into {self.folder}, or {own}"
        return f"copy {self.folder} from where `hf download {self.source}` has run, or {own}"


def find_hub_weights(library: str, name: str) -> HubWeights:
    """The weights that `weights = "default"` means; raises `BackboneError` if there are none."""
    if library == "torchvision":
        weights: Any = torchvision.models.get_model_weights(name).DEFAULT
        return _of_url(library, name, weights.url, weights.meta.get("_file_size"))
    settings = timm.get_pretrained_cfg(name)
    if settings and settings.url and not settings.hf_hub_id:
        url = settings.url
        url, file = (url, "") if isinstance(url, str) else url  # its file may have another name
        return _of_url(library, name, url, None, file)
    if settings is None or not settings.hf_hub_id:
        raise BackboneError(
            f'backbone.weights = "default": timm has no weights for {name}; set it to a local '
            '.safetensors or .pth file, or to "random"'
        )
    repository, _, revision = settings.hf_hub_id.partition("@")
    files = (settings.hf_hub_filename,) if settings.hf_hub_filename else _HUB_FILES
    found = [try_to_load_from_cache(repository, file, revision=revision or None) for file in files]
    folder = Path(constants.HF_HUB_CACHE)
    here = any(isinstance(path, str) for path in found)
    return HubWeights(f"{library}'s {name}", repository, files[0], None, folder, here)


def build_with_hub_weights(library: str, name: str, settings: dict[str, Any]) -> nn.Module:
    """Build the network with its default weights, which are fetched if they are not here.

    Raises `BackboneError` if there are none, or they cannot be fetched.
    """
    weights = find_hub_weights(library, name)
    try:
        if library == "torchvision":
            network: nn.Module = torchvision.models.get_model(name, weights="DEFAULT", **settings)
        else:
            network = timm.create_model(name, pretrained=True, **settings)
    except Exception as error:  # each hub client raises its own kinds when it cannot be reached
        raise BackboneError(
            f"backbone.weights: {weights} could not be fetched ({first_line(error)}); go online, "
            f"or {weights.remedy}"
        ) from None
    return network


def _of_url(
    library: str, name: str, url: str, megabytes: float | None, file: str = ""
) -> HubWeights:
    file = file or os.path.basename(urlparse(url).path)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    here = (folder / file).is_file()
    return HubWeights(f"{library}'s {name}", url, file, megabytes, folder, here)
