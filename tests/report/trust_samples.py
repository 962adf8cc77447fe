"""What results say of verdicts, for sample results."""

from typing import Any

from report_samples import Results, sample_results

SOME, NONE = ((0.5, 0.05), (0.3, 0.25), (0.2, 0.6)), ((0.0, None), (0.6, 0.2), (0.4, 0.5))


def trusting_results(
    distortions: int = 2, trees: bool = False, networks: tuple[str, ...] = ()
) -> Results:
    """Sample results with verdicts of M_mix and of trees, each tree with numbers of its own.

    Of images of the second distortion none is usable by M_mix. `networks` are judged, too.
    """
    results = sample_results(distortions, trees=trees)
    results["held_out"] = []
    shares = {
        name: NONE if place == 1 else SOME
        for place, name in enumerate((*results["distortions"], "average"))
    }
    results["trust"] = [trust_row("mix", shares)]
    for place, name in enumerate(networks):
        usable = round(0.3 - 0.01 * place, 2)
        of_network = ((usable, 0.09), (0.3, 0.2), (round(0.7 - usable, 2), 0.6))
        row = trust_row(name, dict.fromkeys(shares, of_network), risk=0.03 + 0.01 * place)
        results["trust"].append(row | {"temperature": 2.5, "usable": 0.8})
    for place, tree in enumerate(results["trees"]):
        usable = round(0.4 - 0.01 * place, 2)
        of_tree = ((usable, 0.08), (0.3, 0.25), (round(0.7 - usable, 2), 0.6))
        row = trust_row(tree["model"], dict.fromkeys(shares, of_tree), risk=0.05 + 0.01 * place)
        results["trust"].append(row)
    return results


def trust_row(model: str, shares: dict[str, Any], risk: float = 0.02) -> dict[str, Any]:
    """What results tell of one training of a model: `shares` are of each group and verdict."""

    def verdict(share: float, error: float | None) -> dict[str, Any]:
        ci95 = None if error is None else [round(error - 0.01, 3), round(error + 0.02, 3)]
        return {"share": share, "error": error, "error_ci95": ci95}

    verdicts = ("usable", "doubtful", "retake")
    return {
        "model": model,
        "seed": 0,
        "temperature": 1.25,
        "usable": 0.9,
        "retake": 0.5,
        "rule": "a rule.",
        "calibration": {
            name: {"nll": [0.8, 0.7], "ece": [0.1, 0.05]}
            for name in shares
            if name in ("average", "held_out_average")
        },
        "verdicts": {
            name: {v: verdict(*found) for v, found in zip(verdicts, each, strict=True)}
            for name, each in shares.items()
        },
        "risk_coverage": {
            name: {
                "coverage": [0.25, 0.5, 0.75, 1.0],
                "risk": [risk, 0.1, 0.2, 0.3],
                "ci95": [None, [0.05, 0.15], [0.15, 0.25], [0.25, 0.35]],
            }
            for name in shares
        },
    }
