"""A mixture or a network of a finished run: what its manifest says, and its tensors."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from mixqual.deploy.assembly import mixture_tensors
from mixqual.deploy.manifest import NO_GATE, Grid, Manifest, Threshold, Trust
from mixqual.deploy.parts import first_fault
from mixqual.deploy.runner import FULL
from mixqual.errors import BundleError
from mixqual.finished_run import FinishedRun
from mixqual.networks import Sharing, Stages, backbone_preprocessing
from mixqual.results.content import is_gray, original_network, trust_rows
from mixqual.results.names import MIX


def run_model(finished: FinishedRun, model: str, seed: int) -> tuple[Manifest, dict[str, Tensor]]:
    """M_mix ("mix"), a tree or a single network of a training, as a bundle holds it.

    Raises `BundleError` for a model that is not one of `exportable`, and `RunError` if the run has
    no such training, or its weights are gone.
    """
    if model not in exportable(finished):
        known = ", ".join(exportable(finished))
        raise BundleError(
            f"{finished.root} has nothing called {model!r} that can be exported; there are {known}"
        )
    try:
        manifest = _manifest(finished, model, seed)
    except ValidationError as error:
        raise BundleError(
            f"{finished.root} has what no file of this version can hold: {first_fault(error)}"
        ) from None
    tensors = _mixture_tensors if manifest.is_mixture else _network_tensors
    return manifest, tensors(finished, model, seed)


def exportable(finished: FinishedRun) -> list[str]:
    """The models that one file can hold: M_mix and the trees, and all single networks."""
    results = finished.results
    singles = [*results["experts"], *results["baselines"], *results["controls"]]
    return [MIX, *_trees(finished), *singles]


def recommended(finished: FinishedRun) -> tuple[str, str] | None:
    """The model that the run says to ship, and the mode; None of runs of before they said so."""
    told = finished.results.get("recommendation", {})
    return (told["ship"], told.get("mode", FULL)) if "ship" in told else None


def _trees(finished: FinishedRun) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in finished.results.get("trees", [])}


def _network_tensors(finished: FinishedRun, model: str, seed: int) -> dict[str, Tensor]:
    tensors = finished.tensors(model, seed)
    tree = next((tree for tree in _trees(finished).values() if tree["control"] == model), None)
    if tree:  # a control: its other stages are those of the original network
        network = finished.network(original_network(finished.results), seed)
        parts = Stages(network, finished.backbone.name).divide(_sharing(tree))
        parts.branch.load_state_dict(_without_stem(tensors))
        tensors = network.state_dict()
    return mixture_tensors({model: tensors}, {}, None)


def _mixture_tensors(finished: FinishedRun, model: str, seed: int) -> dict[str, Tensor]:
    tree = _trees(finished).get(model)
    if tree is None:
        experts = {name: finished.tensors(name, seed) for name in finished.experts}
        return mixture_tensors(experts, finished.gate_tensors(seed), None)
    clean = original_network(finished.results)
    own = model if tree["weights"] == "resolve" else None
    branches = {
        name: _without_stem(finished.tensors(f"{_sharing(tree).name}/{name}", seed))
        for name in finished.experts
        if name != clean
    }
    return mixture_tensors(
        branches, finished.gate_tensors(seed, own), finished.tensors(clean, seed)
    )


def _sharing(tree: Mapping[str, Any]) -> Sharing:
    return Sharing(tree["until"], tree["from"])


def _without_stem(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("branch."): tensor for key, tensor in tensors.items()}


def _manifest(finished: FinishedRun, model: str, seed: int) -> Manifest:
    results, origin = finished.results, finished.results["provenance"]
    preprocessing = backbone_preprocessing(finished.backbone)
    tree = _trees(finished).get(model)
    alone = not tree and model != MIX
    table = tree["resolved"] if tree and tree["weights"] == "resolve" else results["weights"]
    compared = [*results["experts"], *results["baselines"], "avg", "max", "hardmix", "mix", model]
    return Manifest.model_validate(
        {
            "name": results["name"],
            "model": model,
            "version": origin["version"],
            "commit": origin.get("commit"),
            "seed": seed,
            "classes": tuple(finished.classes),
            "experts": (model,) if alone else tuple(finished.experts),
            "clean": model if alone else original_network(results),
            "backbone": origin["backbone"],
            "size": finished.size,
            "interpolation": preprocessing.interpolation,
            "mean": preprocessing.mean,
            "std": preprocessing.std,
            "gate": NO_GATE if alone else origin.get("gate", "paper"),
            "until": tree["until"] if tree else None,
            "from": tree["from"] if tree else None,
            "distortions": {
                name: Grid(
                    unit=results["distortions"][name]["unit"],
                    quantity=results["distortions"][name]["quantity"],
                    levels=tuple(map(float, results["distortions"][name]["levels"])),
                    # Eq. 4 has one answer for one network.
                    weights=tuple(
                        (1.0,) if alone else tuple(map(float, row.values()))
                        for row in rows.values()
                    ),
                )
                for name, rows in table.items()
                if name not in results["held_out"]
            },
            "gray_noise": any(map(is_gray, results["distortions"].values())),
            "trust": _trust(finished, model, seed),
            "threshold": _threshold(results) if model == MIX else None,
            "auc": {name: results["auc"][name]["average"]["auc"] for name in compared},
        }
    )


def _trust(finished: FinishedRun, model: str, seed: int) -> Trust | None:
    for row in trust_rows(finished.results, model):
        if row["seed"] == seed:
            return Trust(
                temperature=row["temperature"],
                usable=row["usable"],
                retake=row["retake"],
                rule=row["rule"],
                errors={name: found["error"] for name, found in row["verdicts"]["average"].items()},
            )
    return None


def _threshold(results: Mapping[str, Any]) -> Threshold | None:
    if "conditional" not in results:  # an earlier version wrote them
        return None
    chosen = results["conditional"]["chosen"]
    return Threshold(tau=chosen["tau"], experts=chosen["experts"], auc=chosen["auc"])
