"""What `results.json` says of a study as a whole: its origin, its models, their weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixqual.artifacts import key_of
from mixqual.config import EvaluationConfig, StudyConfig
from mixqual.data import ImageSet, find_leaks, find_twins
from mixqual.evaluation import (
    METRICS,
    Answers,
    Bootstrap,
    Correct,
    Cube,
    Keep,
    OutputArray,
    Scored,
    accuracy_tables,
    comparisons,
    confusion_tables,
    corruption_errors,
    kept_tables,
    level_rows,
    metric_tables,
)
from mixqual.fusion import Measured
from mixqual.level_grids import grid_facts
from mixqual.made import Maker
from mixqual.plan import Plan
from mixqual.provenance import provenance
from mixqual.results.names import CEILINGS, ENSEMBLES, level_key
from mixqual.seeding import derive_seed
from mixqual.stages import OptimalWeights
from mixqual.tree_plan import trees_of
from mixqual.workbench import Workbench


# What is read off curves is not part of what is studied: results of before it was asked for are of
# the same study.
def summarise(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    scores: Mapping[int, Correct],
    measured: Mapping[int, Measured],
    answers: Mapping[int, Answers],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Provenance, and the accuracies, areas and comparisons of all models."""
    plan, config = bench.plan, bench.plan.config
    images, trees = sets["test"].images, trees_of(plan)
    splits = {name: part.indices_N for name, part in sets.items()}
    controls = list(dict.fromkeys(tree.control for tree in trees if tree.control))
    baselines = [name for name in plan.networks if name in config.baselines]
    models = [*config.experts, *baselines, *controls, *ENSEMBLES, *(tree.name for tree in trees)]
    models += [*CEILINGS, *(tree.ceiling for tree in trees)]
    by_seed = {seed: {model: right[model] for model in models} for seed, right in scores.items()}
    scored = Scored(plan.test_cells, plan.levels, by_seed, plan.held_out)
    return {
        "name": config.name,
        "provenance": provenance(bench.machine)
        | {
            "processes": bench.accelerator.num_processes,
            "seeds": list(config.seeds),
            "config_hash": _hash(config),
            "study_hash": _hash(config, "seeds"),
            "images": {name: len(part) for name, part in sets.items()},
            "left_out": len(images.left_out),
            "size": config.data.size,
            "backbone": config.backbone.name,
            "weights": config.backbone.weights,
            "gate": config.gate.kind,
            "credit": images.credit,
            "classes": list(images.classes),
        },
        "recipes": [
            {
                "networks": list(dict.fromkeys(names)),
                "in_words": training.in_words(),
                "settings": training.settings,
            }
            for training, names in config.recipes()
        ],
        "experts": list(config.experts),
        "clean": plan.start,
        "baselines": baselines,
        "controls": controls,
        "models": scored.models,
        "held_out": plan.held_out,
        "distortions": {
            name: grid_facts(name, config.distortions[name], plan.distortions[name], levels)
            for name, levels in plan.levels.items()
        },
        **accuracy_tables(scored, bootstrap),
        "kept_levels": kept_tables(scored, _keeps(config.evaluation), bootstrap),
        "metrics": metric_tables(scored, measured),
        "confusion": confusion_tables(
            scored, answers, sets["test"].labels_N.numpy(), len(images.classes)
        ),
        "metric_info": {name: asdict(info) for name, info in METRICS.items()},
        "corruption_error": corruption_errors(scored, plan.start or scored.models[0], bootstrap),
        "comparisons": comparisons(scored, bootstrap),
        "left_out": [asdict(file) for file in images.left_out],
        "leaks": [asdict(leak) for leak in find_leaks(images, splits)],
        "without_twins": _without_twins(scored, find_twins(images, splits, "test"), config),
    }


def _without_twins(
    scored: Scored, twins_N: NDArray[np.bool_], config: StudyConfig
) -> dict[str, Any]:
    """The accuracies and areas on the test images that are apart from all other images.

    Empty if all are; without numbers if none is.
    """
    twins, left = int(twins_N.sum()), int((~twins_N).sum())
    if not twins:
        return {}
    found: dict[str, Any] = {"twins": twins, "images": left}
    if left:
        seed = derive_seed(config.split.seed, "bootstrap", "without twins")
        bootstrap = Bootstrap.draw(left, config.evaluation.bootstrap, seed)
        found |= accuracy_tables(scored.among(~twins_N), bootstrap)
    return found


def _hash(config: StudyConfig, *left_out: str) -> str:
    """Of the settings that decide what is measured, but for some that are `left_out`.

    The noise of grayscale images is in the options of the distortions.
    """
    fields = config.model_dump(mode="json", exclude={"runtime", *left_out})
    del fields["data"]["grayscale_noise"]
    for name in ("keep_shares", "keep_accuracies"):
        del fields["evaluation"][name]
    return key_of(fields)


def _keeps(settings: EvaluationConfig) -> list[Keep]:
    accuracies = [Keep(value, of_clean=False) for value in settings.keep_accuracies]
    return [*(Keep(value) for value in settings.keep_shares), *accuracies]


def makers(bench: Workbench) -> dict[str, Any]:
    """What made the artifacts of a study, as its provenance has it.

    Each maker with the number of its artifacts, that of most first; version, commit, libraries and
    device of the whole are those of the first that is known. `bench` has to have used them all.
    """
    found: list[tuple[str, Maker | None]] = [
        (name.partition("-")[0], maker) for name, maker in bench.store.makers.items()
    ]
    for name in bench.proven:
        array = OutputArray.reopen(bench.store.root / name)
        found += [("outputs", maker) for maker in array.makers]
    counts: dict[str, dict[str, int]] = {}
    for stage, maker in found:
        of_maker = counts.setdefault(json.dumps(maker, sort_keys=True), {})
        of_maker[stage] = of_maker.get(stage, 0) + 1
    rows = []
    for text, artifacts in sorted(counts.items(), key=lambda row: -sum(row[1].values())):
        rows.append({**(json.loads(text) or {"version": None}), "artifacts": artifacts})
    first = next((row for row in rows if row["version"]), {})
    of_all = {key: value for key, value in first.items() if key != "artifacts"}
    return {**of_all, "made_by": rows}


def backends_used(plan: Plan, cubes: Sequence[Cube]) -> dict[str, list[str]]:
    """What the networks of each kind ran as in the sweeps of the test images.

    Nothing is said of outputs that were made before this was noted.
    """
    baselines = [name for name in plan.networks if name in plan.config.baselines]
    kinds = {"experts": list(plan.config.experts), "baselines": baselines, "gate": ["gate"]}
    return {
        kind: sorted({b for cube in cubes for name in names for b in cube.arrays[name].backends})
        for kind, names in kinds.items()
    }


def weight_tables(plan: Plan, tests: Mapping[int, tuple[Cube, OptimalWeights]]) -> dict[str, Any]:
    """Figure 4: the optimal weights of each level, and what the gate makes of its test images."""
    experts = list(plan.config.experts)
    tables: dict[str, Any] = {"weights": {}, "gate_weights": {}, "gate_weights_std": {}}
    for name, levels in plan.levels.items():
        optimal_VE = np.mean([weights.weights_VE[name] for _, weights in tests.values()], axis=0)
        gate_SVNE = np.array(
            [
                [
                    cube.arrays["gate"].read(cube.cells[row])
                    for row in level_rows(cube.cells, name, levels)
                ]
                for cube, _ in tests.values()
            ]
        )
        rows_VE = {
            "weights": optimal_VE,
            "gate_weights": gate_SVNE.mean((0, 2)),
            "gate_weights_std": gate_SVNE.std((0, 2)),
        }
        for table, values_VE in rows_VE.items():
            tables[table][name] = {
                level_key(level): {
                    expert: round(float(value), 6)
                    for expert, value in zip(experts, values_E, strict=True)
                }
                for level, values_E in zip(levels, values_VE, strict=True)
            }
    return tables
