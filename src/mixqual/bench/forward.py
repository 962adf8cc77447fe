"""Forward passes by every backend, against PyTorch's defaults and onnxruntime used by hand."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mixqual.backends import BACKENDS, accelerate, unusable_backends
from mixqual.bench.plain import FORWARD, plain_defaults
from mixqual.bench.timing import Ratio, compare_all
from mixqual.config import BackboneConfig
from mixqual.networks import build_classifier
from mixqual.networks.model_files import quietly
from mixqual.runtime import place

_NETWORKS = ("timm/tf_efficientnet_lite0", "torchvision/resnet50")
_SIDE, _BATCH, _CLASSES, _REPETITIONS = 224, 32, 4, 4


def measure() -> list[Ratio]:
    """Compare every backend that this machine has; `unusable_backends` names the others."""
    return [ratio for backbone in _NETWORKS for ratio in _backends(backbone)]


def _backends(backbone: str) -> list[Ratio]:
    config = BackboneConfig(name=backbone, weights="random")
    network = place(build_classifier(config, _CLASSES, 0), torch.device("cpu")).eval()
    images_BCHW = 255 * torch.rand(_BATCH, 3, _SIDE, _SIDE)
    images_BCHW = images_BCHW.contiguous(memory_format=torch.channels_last)
    lacking = unusable_backends()
    runs: dict[str, Callable[[], object]] = {}
    for backend in BACKENDS:
        if backend not in lacking:
            ready = accelerate(network, images_BCHW, _BATCH, backend)
            runs[f"{backbone}, {backend}"] = partial(_run, ready.forward, images_BCHW)
    with plain_defaults(FORWARD, backbone, classes=_CLASSES, batch=_BATCH, side=_SIDE) as plain:
        others: dict[str, Callable[[], object]] = {"plain PyTorch": plain}
        if "onnxruntime" not in lacking:
            others["onnxruntime by hand"] = _by_hand(config)
        settings = f"{_SIDE} pixels, batch {_BATCH}, {torch.get_num_threads()} threads"
        return compare_all(runs, others, settings=settings, repetitions=_REPETITIONS)


def _run(forward: Callable[[Tensor], Tensor], images_BCHW: Tensor) -> None:
    with torch.inference_mode():
        forward(images_BCHW)


def _by_hand(config: BackboneConfig) -> Callable[[], object]:
    """What one writes without mixqual: the network exported for its batch, and run."""
    runtime: Any = importlib.import_module("onnxruntime")
    network: nn.Module = build_classifier(config, _CLASSES, 0).eval()
    images_BCHW = 255 * torch.rand(_BATCH, 3, _SIDE, _SIDE)
    with quietly():
        program: Any = torch.onnx.export(network, (images_BCHW,), dynamo=True, verbose=False)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    model = program.model_proto.SerializeToString()
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: images_BCHW.numpy()}
    return lambda: session.run(None, given)
