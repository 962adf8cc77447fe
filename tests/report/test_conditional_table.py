import csv
import io

from report_samples import sample_results

from mixqual.layout import to_csv, to_markdown
from mixqual.report import make, report_tables
from mixqual.report.conditional_table import conditional_table


def test_rows_are_the_curve_with_the_chosen_one_marked() -> None:
    results = sample_results()
    table = conditional_table(results)
    curve = results["conditional"]["curve"]
    assert [row[0] for row in table.rows] == ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
    assert [row[-1] for row in table.rows] == ["", "", "chosen", "", "", ""]
    assert table.rows[0][1:5] == (f"{curve[0]['auc']:.3f}", "0.000", "3.00", "0.434")
    lost = curve[0]["auc"] - curve[5]["auc"]
    assert table.rows[5][1:5] == (f"{curve[5]['auc']:.3f}", f"−{lost:.3f}", "1.00", "0.183")
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    for row, found in zip(rows, curve, strict=True):
        assert {field: float(row[field]) for field in found} == found
        assert row["chosen"] == ("true" if found["tau"] == 0.2 else "false")


def test_notes_tell_how_the_threshold_was_chosen_and_what_it_gives() -> None:
    results = sample_results()
    results["conditional"]["chosen"] |= {
        "auc": 0.7512,
        "ci95": [0.73, 0.77],
        "delta": -0.0021,
        "delta_ci95": [-0.004, 0.001],
        "experts": 1.735,
        "macs": results["conditional"]["curve"][0]["macs"] // 2,
    }
    text = to_markdown(make(results, "thresholds"))
    assert "at most 0.003 below that of M_mix" in text
    assert (
        "τ = 0.2 has an average AUC of 0.751 [0.730, 0.770], −0.002 [−0.004, +0.001] against "
        "M_mix, with 1.74 of 3 experts and 50 % of its MACs."
    ) in text


def test_older_results_have_none() -> None:
    results = sample_results()
    with_it = report_tables(results)
    del results["conditional"]
    assert conditional_table(results) is None
    assert len(report_tables(results)) == len(with_it) - 1
