"""A mixture as one graph of ONNX: normalisation, gate, experts, mixing and calibration."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import torch

from mixqual.deploy.onnx_cut import INPUT, PROBABILITIES, WEIGHTS
from mixqual.deploy.onnx_file import MOST_BYTES
from mixqual.deploy.whole_network import OpenedNetwork, WholeNetwork
from mixqual.errors import BundleError
from mixqual.networks.model_files import quietly

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_OVERHEAD = 2**24
"""Bytes that a graph may have beside its weights, at the very most."""


def onnx_graph(network: WholeNetwork, example_BCHW: torch.Tensor, cuts: Sequence[str]) -> bytes:
    """A network as a serialised ModelProto, for batches of any size.

    Its outputs are probabilities and weights; values within have the names of the `cuts`.
    Raises `BundleError` if packages for it are missing, if it has more than the 2 GiB that one file
    can hold, or if torch cannot export it.
    """
    lacking = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise BundleError(
            f"to write ONNX needs {', '.join(lacking)}, which the onnx-export extra brings: "
            'pip install "mixqual[onnx-export]"'
        )
    _check_size(network)
    batch = torch.export.Dim("batch")
    try:
        with quietly(), torch.inference_mode():
            program: Any = torch.onnx.export(
                OpenedNetwork(network, cuts),
                (example_BCHW,),
                dynamo=True,
                dynamic_shapes=({0: batch},),
                input_names=[INPUT],
                output_names=[PROBABILITIES, WEIGHTS, *cuts],
                verbose=False,
            )
            model = program.model_proto
    except Exception as error:  # an exporter fails in many ways
        reason = (str(error).splitlines() or [""])[0]
        raise BundleError(
            f"torch cannot write this network as ONNX ({type(error).__name__}: {reason}); "
            "export a bundle (.mixqual)"
        ) from error
    inner = model.graph.output[2:]
    model.graph.value_info.extend(inner)
    del model.graph.output[2:]
    return without_origins(model)


def _check_size(network: WholeNetwork) -> None:
    tensors = {id(t): t for t in (*network.parameters(), *network.buffers())}.values()
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size + _OVERHEAD > MOST_BYTES:
        raise BundleError(
            f"its weights have {size / 2**30:.1f} GiB, and one ONNX file cannot hold more than "
            "2 GiB; export a bundle (.mixqual) or a program of torch.export (.pt2)"
        )


def without_origins(model: Any) -> bytes:
    """The model without what the exporter notes of its origin: lines of code, paths.

    Metadata of the file are ours alone.
    """
    graph = model.graph
    for values in (graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            del value.metadata_props[:]
            value.doc_string = ""
    del model.metadata_props[:], graph.metadata_props[:]
    content: bytes = model.SerializeToString(deterministic=True)
    return content
