import csv
import io
from itertools import pairwise
from typing import Any

import pytest
from comparison_samples import run_results, runs_of, set_grid
from report_samples import Results

from mixqual.errors import RunError
from mixqual.layout import Table, to_csv
from mixqual.report import make_across
from mixqual.report.trees_across import trees_across_table

GATE = 98_531
BLOCKS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512,) * 4)
POINTS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1", "fc6", "fc7", "fc8")
CLASSES = {"Caltech101": 101, "Caltech256": 256, "Scene67": 67}

# As printed: three areas and the mean of the parameters in millions.
MIX = (0.76, 0.49, 0.43, "404.62")
TABLE_6 = {
    "conv2_1": (0.77, 0.49, 0.43, "404.39"),
    "conv3_1": (0.75, 0.48, 0.43, "404.10"),
    "conv4_1": (0.74, 0.47, 0.44, "401.15"),
    "conv5_1": (0.72, 0.45, 0.38, "389.35"),
    "fc6": (0.64, 0.42, 0.32, "375.19"),
    "fc7": (0.60, 0.40, 0.31, "169.66"),
    "fc8": (0.58, 0.39, 0.30, "136.10"),
}
TABLE_7 = {
    "conv2_1": (0.55, 0.34, 0.29, "135.01"),
    "conv3_1": (0.66, 0.41, 0.40, "135.46"),
    "conv4_1": (0.73, 0.47, 0.45, "138.41"),
    "conv5_1": (0.76, 0.51, 0.48, "150.21"),
    "fc6": (0.77, 0.52, 0.47, "164.37"),
    "fc7": (0.78, 0.47, 0.47, "369.90"),
    "fc8": (0.77, 0.50, 0.45, "403.46"),
}
ERRATA = {("treenet", "conv2_1"): "404.54", ("inverted", "conv2_1"): "135.02"}


def vgg16(classes: int) -> dict[str, int]:
    """Parameters of VGG16 from each branch point to the next, from its shapes."""
    convs = [sum((9 * before + 1) * after for before, after in pairwise(block)) for block in BLOCKS]
    dense = [(512 * 49 + 1) * 4096, 4097 * 4096, 4097 * classes]
    return dict(zip(POINTS, [*convs, *dense], strict=True))


def published(place: int, name: str) -> Results:
    """Results with the areas of one data set of the paper, and with the parameters of VGG16."""
    results = run_results(name, seeds=[0])
    params = list(vgg16(CLASSES[name]).values())
    results["cost"]["mix"]["params"] = 3 * sum(params) + GATE
    results["auc"]["mix"]["average"]["auc"] = MIX[place]
    results["trees"] = []
    for kind, table in (("treenet", TABLE_6), ("inverted", TABLE_7)):
        for point, row in table.items():
            cut = POINTS.index(point)
            before, after = sum(params[:cut]), sum(params[cut:])
            shared, own = (before, after) if kind == "treenet" else (after, before)
            add_tree(results, kind, point, row[place], shared + 3 * own + GATE)
    return results


def add_tree(results: Results, kind: str, point: str, auc: Any, params: int) -> None:
    name = f"{kind}_{point}"
    ends = {"until": point, "from": None} if kind == "treenet" else {"until": None, "from": point}
    roles = {"model": name, "ceiling": f"{name}_true", "control": None}
    results["trees"].append({"kind": kind, **ends, **roles, "weights": "reuse"})
    mix = results["auc"]["mix"]
    for model in (name, f"{name}_true"):
        results["models"].append(model)
        results["auc"][model] = mix | {"average": mix["average"] | {"auc": auc}}
    results["cost"][name] = {"params": params, "macs": 1, "latency_ms": 1.0}


def cells(table: Table) -> dict[str, dict[str, str]]:
    return {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}


def read(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(table))))


@pytest.mark.parametrize(
    ("name", "kind", "printed"), [("table6", "treenet", TABLE_6), ("table7", "inverted", TABLE_7)]
)
def test_the_paper_s_own_numbers_come_out_as_it_prints_them(
    name: str, kind: str, printed: dict[str, tuple[float, float, float, str]]
) -> None:
    table = make_across(runs_of(*map(published, range(3), CLASSES)), name)
    found = cells(table)
    assert list(found) == ["nothing shared (M_mix)", *printed]
    for point, row in {"nothing shared (M_mix)": MIX, **printed}.items():
        areas = [f"{float(found[point][name].split()[0]):.2f}" for name in CLASSES]
        assert areas == [f"{area:.2f}" for area in row[:3]]
        params = float(found[point]["Mean params (M)"])
        assert params == pytest.approx(float(ERRATA.get((kind, point), row[3])), abs=0.0101)
    assert [float(row["mean_params"]) for row in read(table)] == [
        pytest.approx(sum(float(row[f"{name}_params"]) for name in CLASSES) / 3)
        for row in read(table)
    ]


def test_a_branch_point_that_a_run_lacks_is_left_empty_and_gets_no_mean() -> None:
    full, less = published(0, "Caltech101"), published(2, "Scene67")
    less["trees"] = [tree for tree in less["trees"] if tree["model"] != "treenet_fc6"]
    less["models"].remove("treenet_fc6")
    table = trees_across_table(runs_of(less, full), "treenet")
    row = cells(table)["fc6"]
    assert (row["Scene67"], row["Mean params (M)"], row["Mean MACs (G)"]) == ("–", "–", "–")
    assert row["Caltech101"].startswith("0.640 [")
    assert cells(table)["fc7"]["Mean params (M)"] != "–"
    (record,) = (row for row in read(table) if row["until"] == "fc6")
    assert record["Scene67_auc"] == record["mean_params"] == ""


def test_runs_of_one_study_with_other_seeds_are_one_column_that_counts_once() -> None:
    """With the parameters of the other set twice as high, a mean over runs would be another."""
    runs = [run_results("one", [seed], trees=True) for seed in (0, 1)]
    other = run_results("two", [0], trees=True)
    for cost in other["cost"].values():
        cost["params"] *= 2
    table = trees_across_table(runs_of(runs[0], other, runs[1]), "treenet")
    assert table.header[1:3] == ("one, 2 runs", "two")
    (row,) = (row for row in read(table) if row["model"] == "tree_blocks.3")
    areas = [run["auc"]["tree_blocks.3"]["average"]["seeds"][0] for run in runs]
    assert areas[0] != areas[1]
    assert float(row["one, 2 runs_auc"]) == pytest.approx(sum(areas) / 2, abs=1e-6)
    params = runs[0]["cost"]["tree_blocks.3"]["params"]
    assert float(row["mean_params"]) == pytest.approx(1.5 * params)
    assert any("one column" in note for note in table.notes)


def test_weights_solved_anew_are_a_row_of_their_own() -> None:
    runs = runs_of(run_results("x", trees=True), run_results("y", trees=True))
    table = trees_across_table(runs, "treenet")
    assert [row[0] for row in table.rows][2:] == ["blocks.5", "blocks.5 (own weights)"]
    assert any(note.startswith("(own weights)") for note in table.notes)


def test_multiplications_for_images_of_other_sizes_have_no_mean() -> None:
    other = run_results("y", trees=True, size=224)
    table = trees_across_table(runs_of(run_results("x", trees=True), other), "inverted")
    row = cells(table)["conv_head"]
    assert row["Mean MACs (G)"] == "–" != row["Mean params (M)"]
    assert any("128 in x; 224 in y" in note for note in table.notes)
    assert not table.warnings


def test_averages_over_other_levels_and_failed_gates_are_warned_of() -> None:
    weak = run_results("weak", trees=True)
    set_grid(weak, "gaussian_noise", 0.5)
    table = trees_across_table(runs_of(run_results("x", trees=True), weak), "treenet")
    assert ["NOT TO BE COMPARED" in warning for warning in table.warnings] == [True]
    failed = run_results("failed", trees=True)
    for tree in failed["trees"]:
        for row in tree.get("gate", []):
            row["beats_constant"] = row["seed"] != 1
    table = trees_across_table(runs_of(run_results("x", trees=True), failed), "treenet")
    assert [text.partition(",")[0] for text in table.warnings] == [
        "failed: WARNING: THE GATE HAS FAILED for M_tree_blocks.5_resolved"
    ]


@pytest.mark.parametrize("fact", [{"backbone": "torchvision/vgg16"}, {"gate": "patch"}])
def test_unlike_mixtures_are_refused(fact: dict[str, str]) -> None:
    other = run_results("y", trees=True)
    other["provenance"] |= fact
    with pytest.raises(RunError, match=f"y has 3 experts .*{next(iter(fact.values()))}"):
        trees_across_table(runs_of(run_results("x", trees=True), other), "treenet")


def test_another_number_of_experts_is_refused() -> None:
    other = run_results("y", trees=True, experts=4)
    with pytest.raises(RunError, match=r"x has 3 experts .* y has 4 experts"):
        trees_across_table(runs_of(run_results("x", trees=True), other), "treenet")


def test_a_training_named_twice_is_refused() -> None:
    runs = runs_of(*(run_results("x", seeds, trees=True) for seeds in ([0, 1], [1, 2])))
    with pytest.raises(RunError, match="the same seeds; name each training once"):
        trees_across_table(runs, "treenet")


def test_a_run_without_such_trees_is_named() -> None:
    runs = runs_of(run_results("x", trees=True), run_results("plain"), run_results("bare"))
    with pytest.raises(RunError, match=r"leave out plain and bare, .*\[\[sharing\]\]"):
        make_across(runs, "table6")


def test_other_tables_are_of_one_run() -> None:
    runs = runs_of(run_results("x", trees=True), run_results("y", trees=True))
    with pytest.raises(RunError, match="table2 is of one run; name one run"):
        make_across(runs, "table2")
