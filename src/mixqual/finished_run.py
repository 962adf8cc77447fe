"""The networks of a finished run, found from what its `results.json` says of them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

from torch import Tensor

from mixqual.config import BackboneConfig
from mixqual.errors import RunError
from mixqual.made import check
from mixqual.networks import Classifier, blank_classifier
from mixqual.results.content import RunResults
from mixqual.results.reading import read_run_results
from mixqual.training import load_tensors


@final
@dataclass(frozen=True)
class FinishedRun:
    """The folder of a run, and its results."""

    root: Path
    results: RunResults

    @staticmethod
    def open(root: Path) -> "FinishedRun":
        """Raises `RunError` if the folder holds no run that came to its end."""
        if not os.path.isfile(root / "results.json"):
            raise RunError(
                f"{root} holds no finished run: it has no results.json; give the folder that "
                "`mixqual run` was told with --out, and let it come to its end"
            )
        return FinishedRun(root, read_run_results(root / "results.json"))

    @property
    def experts(self) -> list[str]:
        """The names of the experts."""
        return list(self.results.experts)

    @property
    def seeds(self) -> list[int]:
        """The seeds that everything was trained with, the first one first."""
        return list(self.results.provenance.seeds)

    @property
    def backbone(self) -> BackboneConfig:
        """The network that all experts were fine-tuned from."""
        origin = self.results.provenance
        return BackboneConfig(name=origin.backbone, weights=origin.weights)

    @property
    def size(self) -> int:
        """The side of the images in pixels."""
        return self.results.provenance.size

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the outputs."""
        return list(self.results.provenance.classes)

    def network(self, name: str, seed: int) -> Classifier:
        """A trained expert or baseline on the CPU, ready to predict.

        Raises `RunError` for a seed that the run does not have, or if the weights are gone.
        """
        network = blank_classifier(self.backbone, len(self.classes))
        network.load_state_dict(self.tensors(name, seed))
        return network.eval()

    def tensors(self, name: str, seed: int) -> dict[str, Tensor]:
        """The trained weights of a network, or of a branch ("inverted_blocks.5/noise").

        Raises like `network`.
        """
        self._check_seed(seed)
        return self._load(
            self.results.training[str(seed)][name].artifact, f"network {name!r}", seed
        )

    def gate_tensors(self, seed: int, tree: str | None = None) -> dict[str, Tensor]:
        """The weights of the gate, or of a tree's own. Raises like `network`."""
        self._check_seed(seed)
        found = self.results.tree(tree) if tree else None
        gates = found.gate if found else self.results.gate
        artifact = next(gate.artifact for gate in gates if gate.seed == seed)
        return self._load(artifact, "the gate", seed)

    def _check_seed(self, seed: int) -> None:
        if seed not in self.seeds:
            known = ", ".join(map(str, self.seeds))
            raise RunError(f"{self.root} has no networks of seed {seed}; its seeds are {known}")

    def _load(self, artifact: str | None, what: str, seed: int) -> dict[str, Tensor]:
        if artifact is None:
            raise RunError(
                f"{self.root / 'results.json'} does not say where {what} is, as an "
                "earlier version wrote it; run the study again, which trains nothing anew"
            )
        folder = self.root / "artifacts" / artifact
        weights = folder / "weights.safetensors"
        if not os.path.isfile(weights):
            raise RunError(
                f"{what} of seed {seed} is not trained: {weights} is missing; run the "
                "study again to train it"
            )
        try:
            check(folder, folder.name)
        except RunError as error:
            raise RunError(
                f"{what} of seed {seed} is damaged, {folder}: {error}; run the study again, which "
                "trains it anew"
            ) from None
        return load_tensors(weights)[0]
