"""The verdicts of trees as a table, against numbers written by hand and against the results."""

import csv
import io

import pytest
from report_samples import sample_results
from trust_samples import SOME, trust_row, trusting_results

from mixqual.errors import RunError
from mixqual.layout import to_csv, to_markdown
from mixqual.report import make, report_tables
from mixqual.report.page import render_page
from mixqual.report.tree_trust_table import judged_trees, tree_trust_table
from mixqual.report.trust_table import trust_table

SHARED = {
    "tree_blocks.3": "until blocks.3",
    "tree_blocks.5": "until blocks.5",
    "tree_blocks.5_resolved": "until blocks.5 (own weights)",
    "inverted_conv_head": "from conv_head",
    "tree_blocks.1_inverted_blocks.6": "until blocks.1, from blocks.6",
}


def test_a_row_for_m_mix_and_for_each_tree() -> None:
    results = trusting_results(trees=True)
    assert judged_trees(results) == SHARED
    table = tree_trust_table(results)
    assert table
    assert [row[0] for row in table.rows] == ["nothing (M_mix)", *SHARED.values()]
    assert table.rules == (1,)
    assert dict(zip(table.header, table.rows[0], strict=True))["Usable"] == "50.0 %"
    results["trust"][2] |= {"usable": 2.0, "retake": 0.0}
    results["trust"][2]["calibration"]["average"] = {"ece": [0.2, 0.04]}
    changed = tree_trust_table(results)
    assert changed
    assert changed.rows[2] == (
        *("until blocks.5", "39.0 %", "8.0 % [7.0, 10.0]", "30.0 %", "25.0 % [24.0, 27.0]"),
        *("31.0 %", "60.0 % [59.0, 62.0]", "–", "–", "0.200", "0.040"),
    )
    assert changed.rows[:2] == table.rows[:2]
    assert "Rule, for each mixture on validation images: a rule." in to_markdown(table)


def test_held_out_distortions_have_rows_below() -> None:
    results = trusting_results(trees=True) | {"held_out": ["gaussian_blur"]}
    results["trust"] = [
        trust_row(row["model"], dict.fromkeys(("average", "held_out_average"), SOME))
        for row in results["trust"]
    ]
    table = tree_trust_table(results)
    assert table
    labels = ["nothing (M_mix)", *SHARED.values()]
    assert [row[0] for row in table.rows] == [*labels, *(f"{each}, held out" for each in labels)]
    assert table.rules == (1, 6, 7)


def test_the_csv_has_every_distortion() -> None:
    results = trusting_results(trees=True)
    table = tree_trust_table(results)
    assert table
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    told = {row["model"]: row["verdicts"] for row in results["trust"]}
    assert len(rows) == len(told) * 3 * 3  # two distortions and their average, three verdicts
    for row in rows:
        found = told[row["model"]][row["distortion"]][row["verdict"]]
        assert float(row["share"]) == found["share"]
        assert (float(row["error"]) if row["error"] else None) == found["error"]
        ends = [float(row[end]) for end in ("low", "high") if row[end]]
        assert ends == (found["error_ci95"] or [])


def test_trees_leave_the_table_of_m_mix_as_it_is() -> None:
    assert trust_table(trusting_results(trees=True)) == trust_table(trusting_results())


def test_it_is_in_the_report_and_on_the_page() -> None:
    results = trusting_results(trees=True)
    made = make(results, "tree_verdicts")
    assert made == tree_trust_table(results)
    assert made in report_tables(results)
    page, without = render_page(results, {}), render_page(trusting_results(), {})
    assert "Which answers of trees can be trusted" in page
    assert "Which answers of trees can be trusted" not in without


@pytest.mark.parametrize("name", ["tree_verdicts", "tree_trust"])
def test_results_that_do_not_tell_of_trees_have_none(name: str) -> None:
    older = trusting_results(trees=True)
    older["trust"] = older["trust"][:1]
    for results in (older, trusting_results(), sample_results(trees=True)):
        assert tree_trust_table(results) is None
        with pytest.raises(RunError, match=f"sample has no {name}: its study has no trees, or "):
            make(results, name)
