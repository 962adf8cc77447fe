"""Convolutions in whole numbers: a graph of ONNX a quarter as large, and what that costs."""

import importlib
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.deploy.onnx_cut import INPUT
from mixqual.deploy.onnx_file import Int8
from mixqual.deploy.onnx_graph import without_origins
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.runner import Mode
from mixqual.deploy.validation import Classify, Validation
from mixqual.errors import BundleError

_GATE = "network.mixture.gate."
"""What the names of its weights begin with."""


def quantised(graph: bytes, batches: Iterable[NDArray[np.uint8]], input_type: str) -> bytes:
    """A graph with the weights of convolutions in 8 bits, by channel, and what they see as well.

    The gate and the first convolution of each network stay as they are: they cost little, and on
    rounding them accuracy would fall. Ranges are those that the `batches` give. Raises
    `BundleError` if onnxruntime cannot.
    """
    onnx: Any = importlib.import_module("onnx")
    tools: Any = importlib.import_module("onnxruntime.quantization")
    reader = _Reader(batch.astype(input_type) for batch in batches)
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it recommends a pre-processing that the exporter has done
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            model = onnx.load_from_string(graph)
            tools.quantize_static(
                model,
                path,
                reader,
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=_kept(model),
                per_channel=True,
                reduce_range=True,  # without it sums overflow on processors without VNNI
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
            )
            return without_origins(onnx.load(path))
    except Exception as error:  # it fails in many ways
        reason = (str(error).splitlines() or [""])[0]
        raise BundleError(
            f"onnxruntime cannot quantise this network ({type(error).__name__}: {reason}); "
            "export it without int8"
        ) from error
    finally:
        logging.disable(disabled)


def measured(validation: Validation | None, whole: OnnxRunner, small: OnnxRunner) -> Int8:
    """What the average AUC on validation images becomes; None of it without these images."""
    if validation is None:
        return Int8(auc=None, auc_int8=None, images=0, levels=0)
    before, after = (validation.auc(_classify(runner)) for runner in (whole, small))
    images, levels = len(validation.measuring), len(validation.cells)
    return Int8(auc=before, auc_int8=after, images=images, levels=levels)


def _classify(runner: OnnxRunner) -> Classify:
    return lambda images_BCHW: runner(images_BCHW, Mode()).p_BK


def _kept(model: Any) -> list[str]:
    """The convolutions of the gate, and those that no other convolution comes before."""
    behind: set[str] = set()
    kept = []
    for node in model.graph.node:  # in an order in which they can be run
        first = behind.isdisjoint(node.input)
        if node.op_type == "Conv" and (first or node.input[1].startswith(_GATE)):
            kept.append(node.name)
        if node.op_type == "Conv" or not first:
            behind.update(node.output)
    return kept


@final
class _Reader:
    """What onnxruntime asks for batches, until there are none."""

    def __init__(self, batches: Iterable[NDArray[Any]]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
