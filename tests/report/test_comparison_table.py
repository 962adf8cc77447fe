import csv
import io

import pytest
from comparison_samples import run_results, runs_of, set_grid
from latex_form import check_form

from mixqual.layout import Table, to_csv, to_markdown
from mixqual.report import comparison_table, to_latex


def cells(table: Table, run: str, model: str) -> dict[str, str]:
    row = next(row for row in table.rows if row[:2] == (run, model))
    return dict(zip(table.header, row, strict=True))


def test_a_row_by_hand() -> None:
    table = comparison_table(runs_of(run_results("x", [0, 2]), run_results("y", trees=True)))
    row = cells(table, "x", "M_mix")
    area = run_results("x", [0, 2])["auc"]["mix"]
    low, high = area["gaussian_noise"]["ci95"]
    assert row["Noise AUC"] == f"{area['gaussian_noise']['auc']:.3f} [{low:.3f}, {high:.3f}]"
    assert row["Seeds"] == "0, 2"
    assert row["SD over seeds"] == "0.014"  # 0.02 apart: 0.02 / sqrt(2)
    first, second = area["average"]["seeds"]
    assert row["Each seed"] == f"{first:.3f} {second:.3f}"
    assert row["Backbone"] == "timm/tf_efficientnet_lite0, 128 px"
    assert (row["Params (M)"], row["MACs (G)"]) == ("10.23", "0.434")
    assert cells(table, "y", "M_inverted_conv_head")["Sharing"] == "from conv_head"
    assert cells(table, "y", "ceiling: true weights")["Params (M)"] == "–"


def test_runs_are_parted_by_rules() -> None:
    table = comparison_table(runs_of(run_results("x", [0]), run_results("x", [1])))
    models = len(run_results("x")["models"])
    assert len(table.rows) == 3 * models
    assert table.rules == (models, 2 * models)
    assert {row[0] for row in table.rows} == {"x (a)", "x (b)", "x, 2 runs"}


def test_areas_that_cannot_be_compared_stand_in_columns_of_their_own() -> None:
    weak = run_results("weak")
    set_grid(weak, "gaussian_blur", 0.5)
    table = comparison_table(runs_of(run_results("x"), weak))
    row = cells(table, "weak", "M_all")
    assert row["Blur AUC (x)"] == row["Average (x)"] == "–"
    assert row["Blur AUC (weak)"] != "–"
    assert row["Noise AUC"] != "–"


def test_many_distortions_are_in_the_csv_alone() -> None:
    table = comparison_table(runs_of(run_results("x"), run_results("more", distortions=6)))
    assert [name for name in table.header if "AUC" in name or "verage" in name] == [
        *("Average (x)", "Average (more)")
    ]
    assert "The AUC of each distortion is in the CSV." in table.notes


@pytest.mark.parametrize("distortions", [2, 6])
def test_csv_reads_back_to_the_numbers_of_the_results(distortions: int) -> None:
    runs = runs_of(run_results("x", trees=True), run_results("y", [0], distortions=distortions))
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison_table(runs)))))
    by_label = {run.label: run.results for run in runs}
    assert len(rows) == sum(len(results["models"]) for results in by_label.values())
    for row in rows:
        areas = by_label[row["run"]]["auc"][row["model"]]
        for name in by_label[row["run"]]["distortions"]:
            found = [float(row[f"{name}_{part}"]) for part in ("auc", "low", "high")]
            assert found == [areas[name]["auc"], *areas[name]["ci95"]]
            assert [float(v) for v in row[f"{name}_seeds"].split()] == areas[name]["seeds"]
        cost = by_label[row["run"]]["cost"].get(row["model"], {})
        assert row["params"] == str(cost.get("params", ""))


def test_every_format_has_every_row() -> None:
    table = comparison_table(runs_of(run_results("x", trees=True), run_results("y")))
    check_form(to_latex(table))
    assert to_markdown(table).count("\n| x ") == len(run_results("x", trees=True)["models"])
