from statistics import mean, stdev

import pytest
from comparison_samples import run_results, runs_of, set_grid

from mixqual.report.comparison import columns_of, rows_of, sharing_of, studies


def test_runs_have_names_of_their_own() -> None:
    runs = runs_of(run_results("x"), run_results("y"), run_results("x"))
    assert [run.label for run in runs] == ["x (a)", "y", "x (c)"]
    twice = runs_of(run_results("x"))[0].results
    same = [run.label for run in runs_of(twice, twice)]
    assert len(set(same)) == 2


def test_every_model_of_every_run_has_a_row_with_its_own_numbers() -> None:
    runs = runs_of(run_results("x", trees=True), run_results("y", size=224, distortions=3))
    columns = columns_of(runs)
    rows = rows_of(runs, columns)
    assert [(row.run, row.model) for row in rows] == [
        (run.label, model) for run in runs for model in run.results["models"]
    ]
    by_label = {run.label: run.results for run in runs}
    for row in rows:
        results = by_label[row.run]
        assert {column.name for column in row.areas} == {*results["distortions"], "average"}
        for column, spread in row.areas.items():
            area = results["auc"][row.model][column.name]
            assert (spread.auc, list(spread.seeds)) == (area["auc"], area["seeds"])
            assert list(spread.ci95 or ()) == area["ci95"]
            assert spread.deviation == pytest.approx(stdev(area["seeds"]))
        assert row.cost == results["cost"].get(row.model, {})


def test_size_alone_makes_no_other_area() -> None:
    """Levels in pixels are scaled with the images, and so mean the same."""
    columns = columns_of(runs_of(run_results("x", size=128), run_results("y", size=224)))
    assert [(column.name, column.runs) for column in columns] == [
        ("gaussian_noise", ("x", "y")),
        ("gaussian_blur", ("x", "y")),
        ("average", ("x", "y")),
    ]


def test_other_levels_or_distortions_make_other_areas() -> None:
    weak, more = run_results("weak"), run_results("more", distortions=3)
    set_grid(weak, "gaussian_blur", 0.5)
    columns = columns_of(runs_of(run_results("x"), weak, more))
    assert [(column.name, column.runs) for column in columns] == [
        ("gaussian_noise", ("x", "weak", "more")),
        ("gaussian_blur", ("x", "more")),
        ("gaussian_blur", ("weak",)),
        ("jpeg", ("more",)),
        ("average", ("x",)),
        ("average", ("weak",)),
        ("average", ("more",)),
    ]


def test_fewer_levels_make_another_area() -> None:
    few = run_results("few", distortions=1)
    few["distortions"]["gaussian_noise"]["levels"] = [0.0, 50.0, 100.0]
    columns = columns_of(runs_of(run_results("x", distortions=1), few))
    assert [column.runs for column in columns] == [("x",), ("few",), ("x",), ("few",)]


@pytest.mark.parametrize("hashed", [False, True])
def test_one_study_with_other_seeds_is_put_together(hashed: bool) -> None:
    found = [run_results("x", [0, 1, 2]), run_results("x", [3, 5])]
    if hashed:
        for results in found:
            results["provenance"]["study_hash"] = "0123"
    runs = runs_of(*found)
    rows = rows_of(runs, columns_of(runs))
    models = found[0]["models"]
    assert len(rows) == 3 * len(models)
    for row in rows[2 * len(models) :]:
        assert (row.run, row.seeds) == ("x, 2 runs", (0, 1, 2, 3, 5))
        for column, spread in row.areas.items():
            each = [value for r in found for value in r["auc"][row.model][column.name]["seeds"]]
            assert spread.auc == pytest.approx(mean(each))
            assert spread.deviation == pytest.approx(stdev(each))
            assert list(spread.seeds) == each
            assert spread.ci95 is None


def test_what_is_not_known_to_be_one_study_is_not_put_together() -> None:
    first, same_seed = run_results("x", [0, 1]), run_results("x", [1, 2])
    assert studies(runs_of(first, same_seed)) == []
    assert studies(runs_of(first, run_results("y", [3]))) == []
    other_size = run_results("x", [3], size=224)
    assert studies(runs_of(first, other_size)) == []
    other_settings = run_results("x", [3])
    first["provenance"]["study_hash"], other_settings["provenance"]["study_hash"] = "01", "02"
    assert studies(runs_of(first, other_settings)) == []


def test_one_training_has_no_deviation() -> None:
    runs = runs_of(run_results("x", seeds=[4]))
    assert all(row.average.deviation is None for row in rows_of(runs, columns_of(runs)))


def test_what_a_model_shares() -> None:
    results = run_results("x", trees=True)
    shared = {model: sharing_of(results, model) for model in results["models"]}
    assert shared["clean"] == shared["all"] == "one network"
    assert shared["mix"] == shared["avg"] == shared["mix_true"] == "nothing"
    assert shared["tree_blocks.3"] == shared["tree_blocks.3_true"] == "until blocks.3"
    assert shared["all_tree_blocks.3"] == "frozen until blocks.3"
    assert shared["tree_blocks.5_resolved"] == "until blocks.5 (own weights)"
    assert shared["all_tree_blocks.5"] == "frozen until blocks.5"
    assert shared["inverted_conv_head"] == "from conv_head"
    assert shared["tree_blocks.1_inverted_blocks.6"] == "blocks.1 to blocks.6"
