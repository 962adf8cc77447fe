"""Made-up results of a run: smooth curves, some chance from a fixed seed, six digits."""

from itertools import combinations
from typing import Any

import numpy as np

Results = dict[str, Any]

_GRIDS = {
    "gaussian_noise": ("grey levels", 100.0, False),
    "gaussian_blur": ("pixels", 10.0, True),
    "jpeg": ("100 - quality", 90.0, False),
    "motion_blur": ("pixels", 20.0, True),
    "fog": ("fraction", 1.0, False),
    "low_light": ("stops", 4.0, False),
}
_ENSEMBLES = ["avg", "max", "hardmix", "mix"]
_CEILINGS = ["mix_true", "best_expert"]
# How much accuracy a model loses at the highest level of what it was trained on, and of the rest.
_LOSSES = {
    "clean": (0.55, 0.55),
    "all": (0.2, 0.2),
    "all_long": (0.18, 0.18),
    "avg": (0.3, 0.3),
    "max": (0.28, 0.28),
    "hardmix": (0.16, 0.16),
    "mix": (0.14, 0.14),
    "mix_true": (0.13, 0.13),
    "best_expert": (0.15, 0.15),
}


def sample_results(
    distortions: int = 2,
    experts: int = 3,
    seeds: int = 3,
    size: int = 128,
    gate_works: bool = True,
    trees: bool = False,
) -> Results:
    """The results of a study with so many distortions, experts and seeds, and with some trees."""
    generator = np.random.default_rng(20171)
    names = list(_GRIDS)[:distortions]
    expert_names = ["clean", "noise", "blur", "jpeg", "motion", "fog", "dark", "mild"][:experts]
    baselines = ["all", "all_long"]
    rows = _tree_rows(expert_names, seeds) if trees else []
    controls = list(dict.fromkeys(row["control"] for row in rows if row["control"]))
    models = [*expert_names, *baselines, *controls, *_ENSEMBLES, *(row["model"] for row in rows)]
    models += [*_CEILINGS, *(row["ceiling"] for row in rows)]
    grids = {name: _grid(name, size) for name in names}
    results: Results = {
        "name": "sample",
        "provenance": {
            "version": "0.1.0",
            "commit": "0123abcd",
            "date": "2026-11-05T12:00:00Z",
            "libraries": {"torch": "2.14.1"},
            "device": "a made-up processor",
            "threads": 2,
            "allocator_tuned": True,
            "processes": 1,
            "seeds": list(range(seeds)),
            "config_hash": "89abcdef01234567",
            "images": {"train": 1111, "val": 333, "test": 779},
            "left_out": 401,
            "size": size,
            "backbone": "timm/tf_efficientnet_lite0",
            "weights": "packaged",
            "gate": "paper",
            "credit": "Photographs: A. Author, CC BY-NC-SA 4.0",
        },
        "experts": expert_names,
        "clean": expert_names[0],
        "baselines": baselines,
        "controls": controls,
        "trees": rows,
        "models": models,
        "held_out": [],
        "distortions": grids,
        "auc": {model: {} for model in models},
        "accuracy": {model: {} for model in models},
        "accuracy_ci95": {model: {} for model in models},
        "weights": {},
        "gate_weights": {},
        "gate_weights_std": {},
        "cost": _costs(expert_names, baselines, rows),
        "gate": [
            {
                "seed": seed,
                "val_loss": 0.0412 + 0.001 * seed,
                "constant_loss": 0.2013 if gate_works else 0.0402,
                "beats_constant": gate_works,
            }
            for seed in range(seeds)
        ],
        "training": {
            str(seed): {
                model: {"steps": 400 + 30 * seed, "epochs": 12, "best_epoch": 9, "val_loss": 0.6}
                for model in [*expert_names, *baselines]
            }
            for seed in range(seeds)
        },
        "largest_gap": 1e-10,
        "left_out": [{"id": "images/cell0001.png", "reason": "no sure label"}],
    }
    for model in models:
        for index, name in enumerate(names):
            _add_curve(results, generator, model, name, index)
        _add_average(results, model, names)
    for name in names:
        _add_weights(results, generator, name)
    results["kept_levels"] = {
        model: {name: {"90%": _kept(results, model, name)} for name in names} for model in models
    }
    results["conditional"] = _conditional(results)
    results["comparisons"] = [
        _compare(results, a, b, name)
        for name in (*names, "average")
        for b, a in combinations(models, 2)
    ]
    return results


def _grid(name: str, size: int) -> Results:
    unit, highest, scales = _GRIDS[name]
    top = highest * (size / 224 if scales else 1)
    levels = [round(top * step / 10, 6) for step in range(11)]
    quantity = "σ" if name.startswith("gaussian") else "level"
    return {
        "quantity": quantity,
        "unit": unit,
        "levels": levels,
        "max_at_224": highest,
        "kind": name,
    }


def _tree_rows(experts: list[str], seeds: int) -> list[Results]:
    """Trees of every kind; one of them has no control, and one is mixed with its own weights."""
    cuts = (
        ("treenet", "tree_blocks.3", "blocks.3", None),
        ("treenet", "tree_blocks.5", "blocks.5", None),
        ("inverted", "inverted_conv_head", None, "conv_head"),
        ("both", "tree_blocks.1_inverted_blocks.6", "blocks.1", "blocks.6"),
    )
    rows: list[Results] = [
        {
            "model": name,
            "kind": kind,
            "until": until,
            "from": start,
            "control": None if kind == "both" else f"all_{name}",
            "ceiling": f"{name}_true",
            "weights": "reuse",
        }
        for kind, name, until, start in cuts
    ]
    name = "tree_blocks.5_resolved"
    own = {
        "model": name,
        "ceiling": f"{name}_true",
        "weights": "resolve",
        "gate": [
            {"seed": seed, "val_loss": 0.05, "constant_loss": 0.2, "beats_constant": True}
            for seed in range(seeds)
        ],
        "resolved": {"gaussian_noise": {"0": dict.fromkeys(experts, round(1 / len(experts), 6))}},
    }
    return [*rows[:2], {**rows[1], **own}, *rows[2:]]


def _costs(experts: list[str], baselines: list[str], trees: list[Results]) -> Results:
    def cost(stored: float, run: float, gate: int) -> Results:
        params, macs = round(3376044 * stored) + 98531 * gate, round(125830144 * run)
        macs += 56918016 * gate
        latency = round(8.123 * run + 1.456 * gate, 3)
        return {"params": params, "macs": macs, "latency_ms": latency, "experts_run": round(run)}

    n = len(experts)
    controls = [tree["control"] for tree in trees if tree["control"]]
    return {
        **{name: cost(1, 1, 0) for name in [*experts, *baselines, *controls]},
        "avg": cost(n, n, 0),
        "max": cost(n, n, 0),
        "hardmix": cost(n, 1, 1),
        "mix": cost(n, n, 1),
        **{
            tree["model"]: cost(1 + (n - 1) / (2 + place), 1 + (n - 1) / (3 + place), 1)
            for place, tree in enumerate(trees)
        },
    }


def _conditional(results: Results) -> Results:
    """From M_mix to nearly M_hardmix; the chosen threshold runs half of the experts but one."""
    whole, hard = (results["auc"][model]["average"]["auc"] for model in ("mix", "hardmix"))
    most = len(results["experts"])
    curve = []
    for tau in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        share = 2 * tau
        experts = most - (most - 1) * share**0.5
        curve.append(
            {
                "tau": tau,
                "auc": round(whole + (hard - whole) * share**2, 6),
                "val_auc": round(whole - 0.012 * share**2, 6),
                "experts": round(experts, 6),
                "macs": round(56918016 + 125830144 * experts),
            }
        )
    chosen = curve[2]
    ends = {"ci95": chosen["auc"], "delta_ci95": chosen["auc"] - whole}
    return {
        "curve": curve,
        "chosen": chosen
        | {"delta": round(chosen["auc"] - whole, 6)}
        | {key: [round(at - 0.02, 6), round(at + 0.02, 6)] for key, at in ends.items()},
        "tolerance": 0.003,
    }


def _add_curve(results: Results, generator: Any, model: str, name: str, index: int) -> None:
    levels = results["distortions"][name]["levels"]
    keys = [format(level, "g") for level in levels]
    own, other = _LOSSES.get(model, (0.15, 0.5))
    experts = results["experts"]
    trained = model in experts and experts.index(model) == index + 1
    fall = (own if trained else other) * np.linspace(0, 1, len(levels)) ** 0.7
    top = 0.82 if model in _LOSSES else 0.80
    curve = np.round(top - fall + generator.normal(0, 0.006, len(levels)), 6).tolist()
    results["accuracy"][model][name] = dict(zip(keys, curve, strict=True))
    results["accuracy_ci95"][model][name] = {
        key: [round(value - 0.027, 6), round(value + 0.026, 6)]
        for key, value in zip(keys, curve, strict=True)
    }
    area = float(np.trapezoid(curve, levels) / levels[-1])
    seeds = generator.normal(0, 0.008, len(results["provenance"]["seeds"]))
    results["auc"][model][name] = {
        "auc": round(area, 6),
        "auc_without_clean": round(float(np.mean(curve[1:])), 6),
        "ci95": [round(area - 0.024, 6), round(area + 0.025, 6)],
        "seeds": [round(area + value, 6) for value in seeds - seeds.mean()],
    }
    if len(seeds) > 1:
        ends = [round(area - 0.034, 6), round(area + 0.034, 6)]
        results["auc"][model][name]["ci95_trainings"] = ends


def _kept(results: Results, model: str, name: str) -> Results:
    """By eye, for reports: the levels where the curve and the ends of its intervals fall below."""
    levels = results["distortions"][name]["levels"]
    accuracy = list(results["accuracy"][model][name].values())

    def first_below(target: float) -> float | str:
        below = [x for x, value in zip(levels, accuracy, strict=True) if value < target]
        return below[0] if below else "beyond"

    target = 0.9 * accuracy[0]
    ends = [first_below(target + 0.02), first_below(target - 0.02)]
    seeds = [first_below(target)] * len(results["provenance"]["seeds"])
    return {"level": first_below(target), "ci95": ends, "seeds": seeds}


def _add_average(results: Results, model: str, names: list[str]) -> None:
    areas = [results["auc"][model][name] for name in names]

    def mean(values: Any) -> Any:
        return np.round(np.mean(values, axis=0), 6).tolist()

    results["auc"][model]["average"] = {
        key: mean([area[key] for area in areas])
        for key in ("auc", "auc_without_clean", "ci95", "seeds", "ci95_trainings")
        if key in areas[0]
    }


def _add_weights(results: Results, generator: Any, name: str) -> None:
    """Equal weights for clean images, and nearly all to one expert for the worst."""
    experts = results["experts"]
    levels = results["distortions"][name]["levels"]
    names = list(results["distortions"])
    chosen = (names.index(name) + 1) % len(experts)
    tables: dict[str, Results] = {"weights": {}, "gate_weights": {}, "gate_weights_std": {}}
    for step, level in enumerate(levels):
        share = 1 - np.exp(-0.5 * step)
        w_E = np.full(len(experts), (1 - share) / len(experts))
        w_E[chosen] += share
        rough_E = np.maximum(0, w_E + (step > 0) * generator.normal(0, 0.03, len(experts)))
        g_E = 0.92 * w_E + 0.08 / len(experts)
        spread_E = np.full(len(experts), 0.05) + 0.05 * (step == 1)
        rows = (rough_E / rough_E.sum(), g_E, spread_E)
        for table, row_E in zip(tables.values(), rows, strict=True):
            table[format(level, "g")] = {
                expert: round(float(value), 6) for expert, value in zip(experts, row_E, strict=True)
            }
    for key, table in tables.items():
        results[key][name] = table


def _compare(results: Results, a: str, b: str, name: str) -> Results:
    delta = results["auc"][a][name]["auc"] - results["auc"][b][name]["auc"]
    interval = [round(delta - 0.015, 6), round(delta + 0.016, 6)]
    row = {"a": a, "b": b, "distortion": name, "delta": round(delta, 6), "ci95": interval}
    if len(results["provenance"]["seeds"]) > 1:
        row["ci95_trainings"] = [round(delta - 0.025, 6), round(delta + 0.025, 6)]
    return row


def recommending(results: Results, ship: str = "all", rival: str = "mix") -> Results:
    """These results with a recommendation by hand; "conditional" is M_mix in that mode."""
    mode = "conditional" if ship == "conditional" else "full"
    low, high = (-0.010, 0.018)
    against = {
        "model": rival,
        "dearer": "mix",
        "cheaper": "all",
        "macs_ratio": 3.45,
        "params_ratio": 3.03,
        "delta": 0.004,
        "ci95": [low, high],
        "val_delta": 0.006,
        "val_ci95": [-0.002, 0.014],
    }
    front = [
        {
            "model": model,
            "exported": model != "avg",
            "macs": 1000000 * place,
            "params": 2000000 * place,
            "val_auc": 0.7 + 0.01 * place,
            "auc": 0.72 + 0.002 * place,
            "ci95": [0.7, 0.75],
        }
        for place, model in enumerate(("all", "avg", "mix"), start=1)
    ]
    return results | {
        "recommendation": {
            "ship": "mix" if mode == "conditional" else ship,
            "mode": mode,
            "rule": "The cheapest that none beats.",
            "front": front,
            "against": against,
            "reason": "Ship M_all: M_mix costs more and is not shown to be better.",
        }
    }
