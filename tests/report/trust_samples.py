"""What results say of verdicts, for sample results."""

from typing import Any

from report_samples import Results, sample_results


def trusting_results(distortions: int = 2, trees: bool = False) -> Results:
    """Sample results with verdicts; of images of the second distortion none is usable."""
    results = sample_results(distortions, trees=trees)
    results["held_out"] = []
    some, none = ((0.5, 0.05), (0.3, 0.25), (0.2, 0.6)), ((0.0, None), (0.6, 0.2), (0.4, 0.5))
    shares = {
        name: none if place == 1 else some
        for place, name in enumerate((*results["distortions"], "average"))
    }

    def row(share: float, error: float | None) -> dict[str, Any]:
        ci95 = None if error is None else [round(error - 0.01, 3), round(error + 0.02, 3)]
        return {"share": share, "error": error, "error_ci95": ci95}

    verdicts = ("usable", "doubtful", "retake")
    coverage = [0.25, 0.5, 0.75, 1.0]
    results["trust"] = [
        {
            "seed": 0,
            "temperature": 1.25,
            "usable": 0.9,
            "retake": 0.5,
            "rule": "a rule.",
            "calibration": {"average": {"nll": [0.8, 0.7], "ece": [0.1, 0.05]}},
            "verdicts": {
                name: {v: row(*found) for v, found in zip(verdicts, each, strict=True)}
                for name, each in shares.items()
            },
            "risk_coverage": {
                name: {
                    "coverage": coverage,
                    "risk": [0.02, 0.1, 0.2, 0.3],
                    "ci95": [None, [0.05, 0.15], [0.15, 0.25], [0.25, 0.35]],
                }
                for name in shares
            },
        }
    ]
    return results
