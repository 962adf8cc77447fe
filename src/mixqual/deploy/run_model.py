"""A mixture or a network of a finished run: what its manifest says, and its tensors."""

from collections.abc import Mapping

from pydantic import ValidationError
from torch import Tensor

from mixqual.deploy.assembly import mixture_tensors
from mixqual.deploy.manifest import NO_GATE, Grid, Manifest, Threshold, Trust
from mixqual.deploy.parts import first_fault
from mixqual.errors import BundleError
from mixqual.finished_run import FinishedRun
from mixqual.networks import Sharing, Stages, backbone_preprocessing
from mixqual.results.content import RunResults
from mixqual.results.decisions import Trust as JudgedModel
from mixqual.results.names import AVERAGE, ENSEMBLES, MIX
from mixqual.results.training import Tree


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
    trees = [tree.model for tree in results.trees]
    return [MIX, *trees, *results.experts, *results.baselines, *results.controls]


def recommended(finished: FinishedRun) -> tuple[str, str] | None:
    """The model that the run says to ship, and the mode; None of runs of before they said so."""
    told = finished.results.recommendation
    return (told.ship, told.mode) if told else None


def _network_tensors(finished: FinishedRun, model: str, seed: int) -> dict[str, Tensor]:
    tensors = finished.tensors(model, seed)
    tree = next((tree for tree in finished.results.trees if tree.control == model), None)
    if tree:  # a control: its other stages are those of the original network
        network = finished.network(finished.results.original_network, seed)
        parts = Stages(network, finished.backbone.name).divide(_sharing(tree))
        parts.branch.load_state_dict(_without_stem(tensors))
        tensors = network.state_dict()
    return mixture_tensors({model: tensors}, {}, None)


def _mixture_tensors(finished: FinishedRun, model: str, seed: int) -> dict[str, Tensor]:
    tree = finished.results.tree(model)
    if tree is None:
        experts = {name: finished.tensors(name, seed) for name in finished.experts}
        return mixture_tensors(experts, finished.gate_tensors(seed), None)
    clean = finished.results.original_network
    own = model if tree.weights == "resolve" else None
    branches = {
        name: _without_stem(finished.tensors(f"{_sharing(tree).name}/{name}", seed))
        for name in finished.experts
        if name != clean
    }
    return mixture_tensors(
        branches, finished.gate_tensors(seed, own), finished.tensors(clean, seed)
    )


def _sharing(tree: Tree) -> Sharing:
    return Sharing(tree.until, tree.from_)


def _without_stem(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("branch."): tensor for key, tensor in tensors.items()}


def _manifest(finished: FinishedRun, model: str, seed: int) -> Manifest:
    results, origin = finished.results, finished.results.provenance
    preprocessing = backbone_preprocessing(finished.backbone)
    tree = finished.results.tree(model)
    alone = not tree and model != MIX
    table = tree.resolved if tree and tree.weights == "resolve" else results.weights
    compared = [*results.experts, *results.baselines, *ENSEMBLES, model]
    return Manifest.model_validate(
        {
            "name": results.name,
            "model": model,
            "version": origin.version,
            "commit": origin.commit,
            "seed": seed,
            "classes": tuple(finished.classes),
            "experts": (model,) if alone else tuple(finished.experts),
            "clean": model if alone else results.original_network,
            "backbone": origin.backbone,
            "size": finished.size,
            "interpolation": preprocessing.interpolation,
            "mean": preprocessing.mean,
            "std": preprocessing.std,
            "gate": NO_GATE if alone else origin.gate,
            "until": tree.until if tree else None,
            "from": tree.from_ if tree else None,
            "distortions": {
                name: Grid(
                    unit=results.distortions[name].unit,
                    quantity=results.distortions[name].quantity,
                    levels=results.distortions[name].levels,
                    # Eq. 4 has one answer for one network.
                    weights=tuple(
                        (1.0,) if alone else tuple(row.values()) for row in rows.values()
                    ),
                )
                for name, rows in table.items()
                if name not in results.held_out
            },
            "gray_noise": any(grid.is_gray for grid in results.distortions.values()),
            "trust": _trust(results.trust_of(model, seed)),
            "threshold": _threshold(results) if model == MIX else None,
            "auc": {name: results.auc[name][AVERAGE].auc for name in compared},
        }
    )


def _trust(judged: JudgedModel | None) -> Trust | None:
    if not judged:
        return None
    verdicts = judged.verdicts[AVERAGE]
    return Trust(
        temperature=judged.temperature,
        usable=judged.usable,
        retake=judged.retake,
        rule=judged.rule,
        errors={
            "usable": verdicts.usable.error,
            "doubtful": verdicts.doubtful.error,
            "retake": verdicts.retake.error,
        },
    )


def _threshold(results: RunResults) -> Threshold | None:
    if not results.conditional:  # an earlier version wrote them
        return None
    chosen = results.conditional.chosen
    return Threshold(tau=chosen.tau, experts=chosen.experts, auc=chosen.auc)
