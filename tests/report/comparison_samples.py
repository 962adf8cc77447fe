"""Made-up runs to be compared."""

from pathlib import Path

from report_samples import Results, sample_results

from mixqual.report.comparison import Run, label_runs


def run_results(name: str, seeds: list[int] | None = None, **settings: int | bool) -> Results:
    """Results of a study of this name; with other seeds every model's areas are others too."""
    results = sample_results(**settings) | {"name": name}  # type: ignore[arg-type]
    if seeds:
        results["provenance"]["seeds"] = seeds
        for areas in results["auc"].values():
            for area in areas.values():
                area["seeds"] = [round(area["auc"] + 0.01 * seed, 6) for seed in seeds]
                area["auc"] = round(sum(area["seeds"]) / len(seeds), 6)
    return results


def runs_of(*found: Results) -> list[Run]:
    """These results as runs in the folders a, b, ..."""
    return label_runs([(Path("abcdef"[place]), each) for place, each in enumerate(found)])


def set_grid(results: Results, name: str, factor: float) -> None:
    """Make the levels of a distortion so many times as strong."""
    grid = results["distortions"][name]
    grid["max_at_224"] *= factor
    grid["levels"] = [level * factor for level in grid["levels"]]
