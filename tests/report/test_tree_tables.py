import csv
import io
import re

import pytest
from report_samples import Results, sample_results

from mixqual.layout import Table
from mixqual.report import auc_table, comparisons_table, headline, tree_tables
from mixqual.report.labels import kind_of, table_columns
from mixqual.report.trees import branch_point, trees_csv

BOTH = "tree_blocks.1_inverted_blocks.6"


def rows_of(table: Table) -> dict[str, dict[str, str]]:
    """The cells of a table by branch point and title."""
    return {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}


def read(results: Results) -> list[dict[str, str]]:
    """The rows of trees.csv."""
    return list(csv.DictReader(io.StringIO(trees_csv(results))))


def set_difference(
    results: Results, a: str, b: str, delta: float, interval: tuple[float, float]
) -> None:
    """Write down a minus b, in whichever direction the results have it."""
    for row in results["comparisons"]:
        if row["distortion"] != "average":
            continue
        if (row["a"], row["b"]) == (a, b):
            row.update(delta=delta, ci95=[*interval])
        elif (row["a"], row["b"]) == (b, a):
            row.update(delta=-delta, ci95=[-interval[1], -interval[0]])


# The tables


def test_without_trees_there_are_no_tables() -> None:
    results = sample_results()
    assert tree_tables(results) == []
    del results["trees"]  # as in results that are older than trees
    assert tree_tables(results) == []


def test_each_kind_has_a_table_below_m_mix() -> None:
    tables = tree_tables(sample_results(trees=True))
    assert [table.title for table in tables] == [
        "sample: TreeNets (shared before the branch point)",
        "sample: Inverted-TreeNets (shared from the branch point on)",
        "sample: shared before and after the branches",
    ]
    first = "nothing shared (M_mix)"
    assert [list(rows_of(table)) for table in tables] == [
        [first, "blocks.3", "blocks.5", "blocks.5 (own weights)"],
        [first, "conv_head"],
        [first, "blocks.1 to blocks.6"],
    ]
    assert all(table.rules == (1,) for table in tables)


def test_a_kind_that_is_not_there_has_no_table() -> None:
    results = sample_results(trees=True)
    results["trees"] = [tree for tree in results["trees"] if tree["kind"] == "inverted"]
    (table,) = tree_tables(results)
    assert "Inverted-TreeNets" in table.title
    assert [row["model"] for row in read(results)] == [
        *("inverted_conv_head", "inverted_conv_head_true", "all_inverted_conv_head")
    ]


def test_cells_written_by_hand() -> None:
    results = sample_results(trees=True)
    areas = results["auc"]
    areas["tree_blocks.3"]["gaussian_noise"]["auc"] = 0.81249
    areas["tree_blocks.3"]["gaussian_blur"]["auc"] = 0.7
    areas["tree_blocks.3"]["average"].update(auc=0.7561, ci95=[0.7308, 0.78])
    areas["tree_blocks.3_true"]["average"]["auc"] = 0.7777
    areas["all_tree_blocks.3"]["average"]["auc"] = 0.6666
    set_difference(results, "tree_blocks.3", "mix", -0.0123, (-0.0246, 0.0004))
    set_difference(results, "tree_blocks.3", "all_tree_blocks.3", 0.0895, (0.07, 0.1085))
    results["cost"]["tree_blocks.3"].update(params=7654321, macs=1234567890, latency_ms=25.84)
    row = rows_of(tree_tables(results)[0])["blocks.3"]
    assert row == {
        "Branch point": "blocks.3",
        "Noise AUC": "0.812",
        "Blur AUC": "0.700",
        "Average": "0.756 [0.731, 0.780]",
        "minus M_mix": "−0.012 [−0.025, 0.000]",
        "True weights": "0.778",
        "M_all frozen": "0.667",
        "minus that": "+0.089 [+0.070, +0.108]",
        "Params (M)": "7.65",
        "MACs (G)": "1.235",
        "Latency (ms)": "25.8",
    }


@pytest.mark.parametrize("turned", [False, True])
def test_differences_are_the_tree_minus_the_other(turned: bool) -> None:
    """Whichever of the two the results name first."""
    results = sample_results(trees=True)
    results["auc"]["tree_blocks.5"]["average"]["auc"] = 0.5
    for name, auc in (("mix", 0.75), ("all_tree_blocks.5", 0.25)):
        results["auc"][name]["average"]["auc"] = auc
        delta = 0.5 - auc
        set_difference(results, "tree_blocks.5", name, delta, (delta - 0.125, delta + 0.0625))
    if turned:
        for row in results["comparisons"]:
            low, high = row["ci95"]
            row.update(a=row["b"], b=row["a"], delta=-row["delta"], ci95=[-high, -low])
    row = rows_of(tree_tables(results)[0])["blocks.5"]
    assert row["minus M_mix"] == "−0.250 [−0.375, −0.188]"
    assert row["minus that"] == "+0.250 [+0.125, +0.312]"


def test_m_mix_is_shown_beside_its_own_ceiling() -> None:
    results = sample_results(trees=True)
    for table in tree_tables(results):
        row = rows_of(table)["nothing shared (M_mix)"]
        ceiling = results["auc"]["mix_true"]["average"]["auc"]
        assert row["True weights"] == f"{ceiling:.3f}"
        assert [row[title] for title in ("minus M_mix", "M_all frozen", "minus that")] == ["–"] * 3


@pytest.mark.parametrize("distortions", [1, 3, 6])
def test_every_area_is_the_one_in_the_results(distortions: int) -> None:
    results = sample_results(distortions, trees=True)
    shown = 0
    for table in tree_tables(results):
        kind = [t for t in results["trees"] if branch_point(t) in rows_of(table)]
        columns = table_columns(results)
        assert table.header[1 + len(columns)] == "Average"
        for tree, row in zip(kind, table.rows[1:], strict=True):
            for name, cell in zip([*columns, "average"], row[1:], strict=False):
                area = results["auc"][tree["model"]][name]
                values = [area["auc"], *area["ci95"]] if name == "average" else [area["auc"]]
                found = [float(number) for number in re.findall(r"[\d.]+", cell)]
                assert found == pytest.approx(values, abs=0.5001e-3)  # three decimals
            shown += 1
    assert shown == 5


def test_a_tree_without_a_control_has_no_difference_to_it() -> None:
    row = rows_of(tree_tables(sample_results(trees=True))[2])["blocks.1 to blocks.6"]
    assert row["M_all frozen"] == row["minus that"] == "–"
    assert row["minus M_mix"] != "–"


def test_without_comparisons_the_areas_are_left() -> None:
    results = sample_results(trees=True) | {"comparisons": []}
    for table in tree_tables(results):
        for row in table.rows:
            cells = dict(zip(table.header, row, strict=True))
            assert cells["minus M_mix"] == cells["minus that"] == "–"
            assert cells["Average"] != "–"


def test_own_weights_are_explained_where_there_are_some() -> None:
    tree, inverted, both = ("\n".join(t.notes) for t in tree_tables(sample_results(trees=True)))
    assert "(own weights): Eq. 4 solved anew" in tree
    assert "own weights" not in inverted + both


# Gates that failed


def test_a_failed_gate_of_its_own_is_a_warning() -> None:
    results = sample_results(trees=True)
    assert all(table.warnings == () for table in tree_tables(results))
    (own,) = (tree for tree in results["trees"] if tree["weights"] == "resolve")
    own["gate"][1].update(val_loss=0.31, constant_loss=0.2013, beats_constant=False)
    own["gate"][2].update(val_loss=0.5, constant_loss=0.25, beats_constant=False)
    first, second = tree_tables(results)[0].warnings
    assert first == (
        "WARNING: THE GATE HAS FAILED for M_tree_blocks.5_resolved, seed 1: its validation loss is "
        "0.3100, that of the best constant 0.2013."
    )
    assert "M_tree_blocks.5_resolved, seed 2: its validation loss is 0.5000" in second
    # The other trees, and M_mix, have another gate.
    assert all(table.warnings == () for table in tree_tables(results)[1:])
    assert auc_table(results).warnings == ()


# trees.csv


def test_csv_reads_back_to_the_same_floats() -> None:
    results = sample_results(trees=True)
    results["auc"]["tree_blocks.3"]["average"]["auc"] = 1 / 3
    set_difference(results, "tree_blocks.3", "mix", 1 / 7, (1 / 9, 1 / 6))
    rows = read(results)
    assert [(row["kind"], row["role"], row["model"]) for row in rows] == [
        (tree["kind"], role, tree[role])
        for tree in results["trees"]
        for role in ("model", "ceiling", "control")
        if tree[role]
    ]
    for row in rows:
        for name in ("gaussian_noise", "gaussian_blur", "average"):
            area = results["auc"][row["model"]][name]
            assert float(row[f"{name}_auc"]) == area["auc"]
            assert [float(row[f"{name}_low"]), float(row[f"{name}_high"])] == area["ci95"]
        cost = results["cost"].get(row["model"])  # of a ceiling there is none
        for field in ("params", "macs", "latency_ms"):
            assert row[field] == (str(cost[field]) if cost else "")
    by_model = {row["model"]: row for row in rows}
    tree = by_model["tree_blocks.3"]
    minus_mix = [float(tree[f"minus_mix{part}"]) for part in ("", "_low", "_high")]
    assert minus_mix == [1 / 7, 1 / 9, 1 / 6]
    assert (tree["until"], tree["from"]) == ("blocks.3", "")
    assert (by_model[BOTH]["until"], by_model[BOTH]["from"]) == ("blocks.1", "blocks.6")


def test_csv_has_differences_where_there_is_something_to_subtract() -> None:
    results = sample_results(trees=True)
    average = {model: areas["average"]["auc"] for model, areas in results["auc"].items()}
    rows = read(results)
    assert {row["model"] for row in rows if not row["minus_control"]} == {
        *("all_tree_blocks.3", "all_tree_blocks.5", "all_inverted_conv_head"),
        *(BOTH, f"{BOTH}_true"),
    }
    controls = {}
    for tree in results["trees"]:
        controls |= dict.fromkeys((tree["model"], tree["ceiling"]), tree["control"])
    for row in rows:
        minus_mix = average[row["model"]] - average["mix"]
        assert float(row["minus_mix"]) == pytest.approx(minus_mix, abs=1.1e-6)  # six digits
        if row["minus_control"]:
            expected = average[row["model"]] - average[controls[row["model"]]]
            assert float(row["minus_control"]) == pytest.approx(expected, abs=1.1e-6)


# What the rest of the report makes of trees


def test_kinds_of_models() -> None:
    results = sample_results(trees=True)
    kinds = {model: kind_of(results, model) for model in results["models"]}
    for tree in results["trees"]:
        assert kinds[tree["model"]] == "tree"
        assert kinds[tree["ceiling"]] == "ceiling"
        if tree["control"]:
            assert kinds[tree["control"]] == "control"
    assert [kinds[name] for name in ("clean", "all", "mix", "mix_true", "best_expert")] == [
        *("expert", "baseline", "ensemble", "ceiling", "ceiling")
    ]
    assert {*kinds.values()} == {"expert", "baseline", "control", "ensemble", "tree", "ceiling"}


def test_other_tables_are_those_of_a_study_without_trees() -> None:
    with_trees, without = sample_results(trees=True), sample_results()
    for table in ("auc", "cost", "accuracy"):
        for model in without["models"]:
            if model in without[table]:
                with_trees[table][model] = without[table][model]
    with_trees["comparisons"] += without["comparisons"]
    kept = {(row["a"], row["b"], row["distortion"]): row for row in with_trees["comparisons"]}
    with_trees["comparisons"] = list(kept.values())
    assert auc_table(with_trees) == auc_table(without)
    assert comparisons_table(with_trees) == comparisons_table(without)
    assert headline(with_trees) == headline(without)
