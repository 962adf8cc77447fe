"""The table of what accuracy does not say, on the numbers of a small run."""

import csv
from statistics import fmean

import pytest
from finished_runs import Run

from mixqual.report.quality import metrics_csv, quality_table


def test_the_table_has_the_means_over_the_levels_that_are_not_clean(plain_run: Run) -> None:
    results = plain_run.results
    table = quality_table(results)
    assert table is not None
    assert table.header == (
        "Model",
        "Class-mean accuracy",
        "NLL",
        "ECE",
        "mCE",
        "relative mCE",
    )
    for record in table.records:
        levels = results["metrics"].get(record[0])
        if levels is None:
            assert record[1:4] == (None, None, None)
            continue
        for column, metric in enumerate(("class_mean_accuracy", "nll", "ece"), start=1):
            each = [
                fmean([found[metric] for found in levels[name].values()][1:])
                for name in ("gaussian_noise", "gaussian_blur")
            ]
            assert record[column] == pytest.approx(fmean(each))


def test_models_without_probabilities_have_dashes(plain_run: Run) -> None:
    table = quality_table(plain_run.results)
    assert table is not None
    without = {row[0] for row in table.rows if row[2] == "–"}
    assert without == {"M_max", "ceiling: true weights", "ceiling: best expert"}


def test_the_clean_expert_is_a_hundred_percent_of_itself(plain_run: Run) -> None:
    table = quality_table(plain_run.results)
    assert table is not None
    assert dict(zip(table.header, table.rows[0], strict=True))["mCE"] == "100.0"


def test_balanced_test_images_have_the_same_accuracy_class_by_class(plain_run: Run) -> None:
    """The test split has as many images of each class, so both accuracies are one."""
    results = plain_run.results
    for model, distortions in results["metrics"].items():
        for name, levels in distortions.items():
            for key, found in levels.items():
                accuracy = results["accuracy"][model][name][key]
                assert found["class_mean_accuracy"] == pytest.approx(accuracy, abs=2e-6)


def test_the_csv_has_a_row_for_every_level(plain_run: Run) -> None:
    rows = list(csv.DictReader(metrics_csv(plain_run.results).splitlines()))
    assert len(rows) == len(plain_run.results["metrics"]) * 2 * 3
    first = plain_run.results["metrics"]["clean"]["gaussian_noise"]["0"]
    assert float(rows[0]["nll"]) == first["nll"]


def test_older_results_have_no_such_table(plain_run: Run) -> None:
    older = {key: value for key, value in plain_run.results.items() if key != "metrics"}
    assert quality_table(older) is None
