"""A mixture in an ONNX file, in every mode: its parts one by one, each on the images it is for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual.confidence import with_temperature
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.onnx_cut import (
    FEATURES,
    INPUT,
    LOGITS,
    MIXED,
    WEIGHTS,
    branch_name,
    cut_names,
    read_graph,
)
from mixqual.deploy.onnx_file import read_onnx_file
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.deploy.onnx_session import OnnxSession
from mixqual.deploy.runner import CONDITIONAL, EXPERT, MODES, Answers, Mode, Runner
from mixqual.errors import BundleError

Floats = NDArray[np.floating]
Values = Mapping[str, NDArray[Any]]
"""By their names in the graph, a row for each image."""


@final
class OnnxPartsRunner:
    """A `Runner` of the gate, the experts and what they share, each a graph of its own."""

    modes: tuple[str, ...] = MODES

    def __init__(self, manifest: Manifest, content: bytes, device: str = "auto") -> None:
        """`content` is an ONNX file with the cuts of `onnx_cut`.

        Raises `BundleError` if onnxruntime cannot run it.
        """
        cuts, graph = cut_names(manifest), read_graph(content)
        self._manifest = manifest
        self._parts = {
            name: OnnxSession(graph.part(name, cuts), device)
            for name in (WEIGHTS, *cuts)
            if name != MIXED
        }

    def __call__(self, images_BCHW: NDArray[Any], mode: Mode) -> Answers:
        """Answer for each image, in a mode that is sure to fit the mixture."""
        values = {INPUT: images_BCHW}
        weights_BE = self._run(WEIGHTS, values)
        mixing_BE, run_BE = self._mixing(weights_BE, mode)
        if FEATURES in self._parts:
            values[FEATURES] = self._run(FEATURES, values)
        mixed_B = self._mixed(values, mixing_BE, run_BE)
        if LOGITS in self._parts:
            p_BK = _softmax(self._run(LOGITS, {**values, MIXED: mixed_B}))
        else:
            p_BK = mixed_B
        trust = self._manifest.trust
        if trust and mode.name != EXPERT:
            p_BK = with_temperature(p_BK, trust.temperature)
        return Answers(p_BK, weights_BE, run_BE)

    def _run(self, name: str, values: Values) -> Floats:
        found: Floats = self._parts[name]((name,), values)[0]
        return found

    def _mixing(self, weights_BE: Floats, mode: Mode) -> tuple[Floats, NDArray[np.bool_]]:
        """Weights to mix the experts by, and which of them run."""
        if mode.name == CONDITIONAL:
            assert mode.tau is not None
            mixing_BE = passing_weights(weights_BE, mode.tau)
            return mixing_BE, mixing_BE > 0
        if mode.name == EXPERT:
            assert mode.expert is not None
            mixing_BE = np.zeros_like(weights_BE)
            mixing_BE[:, self._manifest.experts.index(mode.expert)] = 1
            return mixing_BE, mixing_BE > 0
        return weights_BE, np.ones(weights_BE.shape, np.bool_)

    def _mixed(self, values: Values, mixing_BE: Floats, run_BE: NDArray[np.bool_]) -> Floats:
        """The weighted sum of the experts' features, or of their probabilities.

        Each expert runs once, on its images, or not at all.
        """
        mixed_B: Floats | None = None
        for expert in np.flatnonzero(run_BE.any(0)).tolist():
            chosen_B = np.flatnonzero(run_BE[:, expert])
            name = branch_name(expert)
            outputs_B = self._run(name, _chosen(values, chosen_B))
            if LOGITS not in self._parts:
                outputs_B = _softmax(outputs_B)
            shape = (-1, *[1] * (outputs_B.ndim - 1))
            if mixed_B is None:
                mixed_B = np.zeros((len(mixing_BE), *outputs_B.shape[1:]), outputs_B.dtype)
            mixed_B[chosen_B] += outputs_B * mixing_BE[chosen_B, expert].reshape(shape)
        assert mixed_B is not None, "every image has an expert"
        return mixed_B


def passing_weights(weights_BE: Floats, tau: float) -> Floats:
    """What `networks.passing_weights` does, without torch.

    The weights that are at least `tau`, and the highest of each image, with a sum of one; all
    others are zero.
    """
    least_B1 = np.minimum(weights_BE.max(1, keepdims=True), weights_BE.dtype.type(tau))
    kept_BE = weights_BE * (weights_BE >= least_B1)
    passing_BE: Floats = kept_BE / kept_BE.sum(1, keepdims=True)
    return passing_BE


def read_onnx_runner(path: Path, device: str = "auto") -> tuple[Manifest, Runner]:
    """Read an ONNX file of `mixqual export`; one of before there were cuts runs as a whole.

    Raises `BundleError` if it cannot be used.
    """
    file = read_onnx_file(path)
    try:
        if file.facts.divisible:
            return file.manifest, OnnxPartsRunner(file.manifest, file.content, device)
        return file.manifest, OnnxRunner(file.content, device)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def _chosen(values: Values, chosen_B: NDArray[np.intp]) -> Values:
    """The rows of some images; not copied if they are all."""
    return {
        name: rows if len(chosen_B) == len(rows) else rows[chosen_B]
        for name, rows in values.items()
    }


def _softmax(logits_BK: Floats) -> Floats:
    exponentials_BK = np.exp(logits_BK - logits_BK.max(1, keepdims=True))
    p_BK: Floats = exponentials_BK / exponentials_BK.sum(1, keepdims=True)
    return p_BK
