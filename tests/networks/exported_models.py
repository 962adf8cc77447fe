"""A small network, and files of it and of smaller programs in all formats that are read."""

import warnings
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

SIDE, CLASSES = 24, 5


class SmallNetwork(nn.Module):
    """Two convolutions, with a normalisation that training and testing do differently."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(4)
            self.first = nn.Conv2d(3, 6, 3, stride=2)
            self.norm = nn.BatchNorm2d(6)
            self.second = nn.Conv2d(6, 8, 3, stride=2)
            self.last = nn.Linear(8, CLASSES)
            nn.init.normal_(self.norm.running_mean)
            nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        hidden_BCHW = self.norm(self.first(images_BCHW)).relu()
        hidden_BCHW = self.second(hidden_BCHW).relu()
        logits_BK: Tensor = self.last(hidden_BCHW.mean((2, 3)))
        return logits_BK


class OneByOne(nn.Module):
    """Means of channels, in a form that tracing fixes to the batch of its example."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        count = images_BCHW.shape[0]
        return images_BCHW.mean((2, 3)).reshape(int(count), 3)


def export_all(folder: Path) -> dict[str, Path]:
    """Write the small network in every format, with any batch and with one of four."""
    network = SmallNetwork().eval()
    example_BCHW = torch.zeros(4, 3, SIDE, SIDE)
    batch = torch.export.Dim("batch")
    free = torch.export.export(network, (example_BCHW,), dynamic_shapes=({0: batch},))
    fixed = torch.export.export(network, (example_BCHW,))
    paths = {
        name: folder / f"{name.replace(' ', '_')}.{ending}"
        for name, ending in {
            "traced": "pt",
            "scripted": "torchscript",
            "frozen": "ts",
            "exported": "pt2",
            "exported four": "pt2",
            "onnx": "onnx",
            "onnx four": "onnx",
        }.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates what users still have files of
        torch.jit.trace(network, example_BCHW).save(paths["traced"])
        scripted = torch.jit.script(network)
        scripted.save(paths["scripted"])
        torch.jit.freeze(scripted).save(paths["frozen"])
        torch.export.save(free, paths["exported"])
        torch.export.save(fixed, paths["exported four"])
        for program, name in ((free, "onnx"), (fixed, "onnx four")):
            torch.onnx.export(program, (), paths[name], dynamo=True, verbose=False)
    return paths


def trace_one_by_one(path: Path) -> None:
    """Write a TorchScript program that takes one image a call, without saying so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(OneByOne(), torch.zeros(1, 3, 8, 8)).save(path)


def write_channel_means(
    path: Path,
    shape: list[int | str | None] | None,
    dtype: int = TensorProto.FLOAT,
    channels_last: bool = False,
    inputs: int = 1,
    rank: int = 2,
) -> Path:
    """Write an ONNX program that returns the means of an image's channels."""
    given = [helper.make_tensor_value_info(f"image{n}", dtype, shape) for n in range(inputs)]
    nodes = [helper.make_node("Cast", ["image0"], ["float"], to=TensorProto.FLOAT)]
    if shape is None or len(shape) == 4:
        order = [0, 3, 1, 2] if channels_last else [0, 1, 2, 3]
        nodes.append(helper.make_node("Transpose", ["float"], ["turned"], perm=order))
        nodes.append(helper.make_node("GlobalAveragePool", ["turned"], ["pooled"]))
        nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    else:
        nodes.append(helper.make_node("Flatten", ["float"], ["flat"]))
    name = "flat" if rank == 2 else "pooled"
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "means", given, [output])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path
