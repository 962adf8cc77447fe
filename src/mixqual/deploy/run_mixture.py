"""The mixture of a finished run: what its manifest says, and its tensors."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mixqual.deploy.assembly import mixture_tensors
from mixqual.deploy.manifest import Grid, Manifest, Threshold, Trust
from mixqual.errors import BundleError
from mixqual.finished_run import FinishedRun
from mixqual.networks import backbone_preprocessing
from mixqual.report import is_gray, trust_rows

MIX = "mix"


def run_mixture(finished: FinishedRun, model: str, seed: int) -> tuple[Manifest, dict[str, Tensor]]:
    """M_mix ("mix") or a tree of a training, as a bundle holds it.

    Raises `BundleError` for a model that is no mixture, and `RunError` if the run has no such
    training, or its weights are gone.
    """
    tree = _tree(finished, model)
    manifest = _manifest(finished, model, tree, seed)
    return manifest, _tensors(finished, tree, manifest.clean, seed)


def _tree(finished: FinishedRun, model: str) -> dict[str, Any] | None:
    trees = {row["model"]: row for row in finished.results.get("trees", [])}
    if model != MIX and model not in trees:
        known = ", ".join([MIX, *trees])
        raise BundleError(f"{finished.root} has no mixture {model!r}; its mixtures are {known}")
    return trees.get(model)


def _tensors(
    finished: FinishedRun, tree: dict[str, Any] | None, clean: str, seed: int
) -> dict[str, Tensor]:
    if tree is None:
        experts = {name: finished.tensors(name, seed) for name in finished.experts}
        return mixture_tensors(experts, finished.gate_tensors(seed), None)
    own = tree["model"] if tree["weights"] == "resolve" else None
    stem = tree["model"].removesuffix("_resolved") if own else tree["model"]
    branches = {
        name: {
            key.removeprefix("branch."): tensor
            for key, tensor in finished.tensors(f"{stem}/{name}", seed).items()
        }
        for name in finished.experts
        if name != clean
    }
    return mixture_tensors(
        branches, finished.gate_tensors(seed, own), finished.tensors(clean, seed)
    )


def _manifest(
    finished: FinishedRun, model: str, tree: dict[str, Any] | None, seed: int
) -> Manifest:
    results, origin = finished.results, finished.results["provenance"]
    preprocessing = backbone_preprocessing(finished.backbone)
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
            "experts": tuple(finished.experts),
            "clean": _clean(finished),
            "backbone": origin["backbone"],
            "size": finished.size,
            "interpolation": preprocessing.interpolation,
            "mean": preprocessing.mean,
            "std": preprocessing.std,
            "gate": origin.get("gate", "paper"),
            "until": tree["until"] if tree else None,
            "from": tree["from"] if tree else None,
            "distortions": {
                name: Grid(
                    unit=results["distortions"][name]["unit"],
                    quantity=results["distortions"][name]["quantity"],
                    levels=tuple(map(float, results["distortions"][name]["levels"])),
                    weights=tuple(tuple(map(float, row.values())) for row in rows.values()),
                )
                for name, rows in table.items()
                if name not in results["held_out"]
            },
            "gray_noise": any(map(is_gray, results["distortions"].values())),
            "trust": _trust(finished, model, seed),
            "threshold": None if tree else _threshold(results),
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


def _clean(finished: FinishedRun) -> str:
    """The expert that the others started from, which no distortion has trained."""
    experts = finished.experts
    return "clean" if "clean" in experts else experts[0]
