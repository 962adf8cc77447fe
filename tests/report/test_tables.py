import csv
import io
import re

import pytest
from report_samples import Results, sample_results

from mixqual.layout import to_csv
from mixqual.report import (
    accuracy_csv,
    auc_table,
    comparisons_table,
    distortions_table,
    weights_csv,
)
from mixqual.report.labels import table_columns


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def row_of(results: Results, label: str) -> dict[str, str]:
    table = auc_table(results)
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    return next(row for row in rows if row["Model"] == label)


def set_difference(results: Results, a: str, b: str, delta: float, low: float, high: float) -> None:
    for row in results["comparisons"]:
        if {row["a"], row["b"]} == {a, b} and row["distortion"] == "average":
            row.update(a=a, b=b, delta=delta, ci95=[low, high])


def test_cells_written_by_hand() -> None:
    results = sample_results()
    results["auc"]["mix"]["gaussian_blur"].update(auc=0.7561, ci95=[0.7308, 0.78])
    results["cost"]["mix"].update(params=404617000, macs=46584000000, latency_ms=25.84)
    row = row_of(results, "M_mix")
    assert row["Blur AUC"] == "0.756 [0.731, 0.780]"
    assert row["Params (M)"] == "404.62"
    assert row["MACs (G)"] == "46.584"
    assert row["Latency (ms)"] == "25.8"
    assert row["Experts run"] == "3"
    results["cost"]["mix"].update(latency_ms_low=25.04, latency_ms_high=27.26)
    assert row_of(results, "M_mix")["Latency (ms)"] == "25.8 (25.0–27.3)"


@pytest.mark.parametrize("distortions", [1, 3, 6])
def test_every_area_is_the_one_in_the_results(distortions: int) -> None:
    results = sample_results(distortions)
    table = auc_table(results)
    for model, row in zip(results["models"], table.rows, strict=True):
        for name, cell in zip([*table_columns(results), "average"], row[1:], strict=False):
            area = results["auc"][model][name]
            shown = [float(number) for number in re.findall(r"[\d.]+", cell)]
            # Three decimals are shown.
            assert shown == pytest.approx([area["auc"], *area["ci95"]], abs=0.5001e-3)


def test_header_is_the_papers_and_other_distortions_are_named_in_words() -> None:
    assert auc_table(sample_results(2)).header[:4] == ("Model", "Noise AUC", "Blur AUC", "Average")
    assert auc_table(sample_results(3)).header[3] == "JPEG AUC"


def test_many_distortions_have_a_table_of_their_own() -> None:
    results = sample_results(4)
    assert auc_table(results).header[:2] == ("Model", "Average")
    assert distortions_table(sample_results(3)) is None
    table = distortions_table(results)
    assert table is not None
    assert [row[0] for row in table.rows] == ["Noise", "Blur", "JPEG", "Motion blur"]
    for name, row in zip(results["distortions"], table.rows, strict=True):
        for model, cell in zip(results["models"], row[1:], strict=True):
            assert float(cell) == pytest.approx(results["auc"][model][name]["auc"], abs=0.5001e-3)


def test_rules_part_single_networks_ensembles_and_ceilings() -> None:
    table = auc_table(sample_results())
    labels = [row[0] for row in table.rows]
    first, second = table.rules
    assert labels[:first] == ["M_clean", "M_noise", "M_blur", "M_all", "M_all_long"]
    assert labels[first:second] == ["M_avg", "M_max", "M_hardmix", "M_mix"]
    assert labels[second:] == ["ceiling: true weights", "ceiling: best expert"]
    assert all(row[4:] == ("–",) * 4 for row in table.rows[second:])
    assert any("no deployed model knows" in note for note in table.notes)


def test_auc_csv_reads_back_to_the_same_floats() -> None:
    results = sample_results()
    results["auc"]["mix"]["average"]["auc"] = 1 / 3
    rows = {row["model"]: row for row in read(to_csv(auc_table(results)))}
    assert list(rows) == results["models"]
    for model, row in rows.items():
        for name in ("gaussian_noise", "gaussian_blur", "average"):
            area = results["auc"][model][name]
            assert float(row[f"{name}_auc"]) == area["auc"]
            assert [float(row[f"{name}_low"]), float(row[f"{name}_high"])] == area["ci95"]
            ends = [float(row[f"{name}_{end}_trainings"]) for end in ("low", "high")]
            assert ends == area["ci95_trainings"]
            assert float(row[f"{name}_auc_without_clean"]) == area["auc_without_clean"]
            assert [float(row[f"{name}_auc_seed_{seed}"]) for seed in range(3)] == area["seeds"]
    assert int(rows["mix"]["macs"]) == results["cost"]["mix"]["macs"]
    assert rows["best_expert"]["params"] == ""
    assert rows["all"]["kind"] == "baseline"


def test_accuracy_csv_reads_back_to_the_same_floats() -> None:
    results = sample_results(3)
    rows = read(accuracy_csv(results))
    assert len(rows) == len(results["models"]) * 3 * 11
    for row in rows:
        key = format(float(row["level"]), "g")
        where = row["model"], row["distortion"], key
        model, name, _ = where
        assert float(row["accuracy"]) == results["accuracy"][model][name][key]
        interval = [float(row["low"]), float(row["high"])]
        assert interval == results["accuracy_ci95"][model][name][key]
    # The exact level, not the six digits of its key.
    assert "5.714286" in {row["level"] for row in rows}


def test_weights_csv_reads_back_to_the_same_floats() -> None:
    results = sample_results(2, experts=5)
    rows = read(weights_csv(results))
    assert len(rows) == 2 * 11 * 5
    columns = {"weights": "optimal_weight", "gate_weights": "gate_mean"}
    columns["gate_weights_std"] = "gate_std"
    for row in rows:
        key = format(float(row["level"]), "g")
        for table, column in columns.items():
            assert float(row[column]) == results[table][row["distortion"]][key][row["expert"]]


@pytest.mark.parametrize(
    ("delta", "low", "high", "text", "verdict"),
    [
        (0.03, 0.01, 0.05, "+0.030 [+0.010, +0.050]", "higher"),
        (-0.0204, -0.041, -0.001, "−0.020 [−0.041, −0.001]", "lower"),
        (0.0002, -0.01, 0.02, "0.000 [−0.010, +0.020]", "no difference shown"),
        (0.01, 0.0, 0.02, "+0.010 [0.000, +0.020]", "no difference shown"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_differences_and_verdicts(
    delta: float, low: float, high: float, text: str, verdict: str, turned: bool
) -> None:
    results = sample_results()
    if turned:  # the results may hold either direction
        set_difference(results, "all", "mix", -delta, -high, -low)
    else:
        set_difference(results, "mix", "all", delta, low, high)
    table = comparisons_table(results)
    row = next(row for row in table.rows if row[0] == "M_all")
    assert row[1:3] == (text, verdict)
    record = next(r for r in read(to_csv(table)) if (r["b"], r["distortion"]) == ("all", "average"))
    assert [float(record[key]) for key in ("delta", "low", "high")] == [delta, low, high]
    assert record["verdict"] == verdict


@pytest.mark.parametrize("turned", [False, True])
def test_the_interval_over_trainings_stands_beside(turned: bool) -> None:
    results = sample_results()
    set_difference(results, *(("all", "mix") if turned else ("mix", "all")), 0.03, 0.01, 0.05)
    for row in results["comparisons"]:
        if {row["a"], row["b"]} == {"mix", "all"} and row["distortion"] == "average":
            row["ci95_trainings"] = [-0.02, 0.08]
    table = comparisons_table(results)
    place = table.header.index("Over trainings too")
    row = next(row for row in table.rows if row[0] == "M_all")
    assert row[place] == ("[−0.080, +0.020]" if turned else "[−0.020, +0.080]")
    record = next(r for r in read(to_csv(table)) if (r["b"], r["distortion"]) == ("all", "average"))
    ends = [float(record["low_trainings"]), float(record["high_trainings"])]
    assert ends == ([-0.08, 0.02] if turned else [-0.02, 0.08])
    assert "3 trainings and the 779 test images" in table.notes[-1]


def test_one_training_and_older_results_have_no_interval_over_trainings() -> None:
    older = sample_results()
    for row in older["comparisons"]:
        del row["ci95_trainings"]
    for areas in older["auc"].values():
        for area in areas.values():
            del area["ci95_trainings"]
    for results in (sample_results(seeds=1), older):
        text = to_csv(comparisons_table(results)) + to_csv(auc_table(results))
        assert "trainings" not in text
        assert "Over trainings too" not in comparisons_table(results).header


def test_any_model_can_be_compared_with_the_rest() -> None:
    results = sample_results()
    table = comparisons_table(results, against="all")
    assert [row[0] for row in table.rows][:4] == ["M_clean", "M_noise", "M_blur", "M_all_long"]
    assert table.header[2] == "M_all is"
    expected = results["auc"]["all"]["average"]["auc"] - results["auc"]["mix"]["average"]["auc"]
    deltas = {
        r["b"]: float(r["delta"]) for r in read(to_csv(table)) if r["distortion"] == "average"
    }
    assert deltas["mix"] == pytest.approx(expected, abs=1e-6)  # results have six digits


def test_without_comparisons_the_table_is_empty() -> None:
    assert comparisons_table(sample_results() | {"comparisons": []}).rows == ()
