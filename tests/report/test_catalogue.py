import pytest
from matplotlib.figure import Figure
from report_samples import recommending, sample_results
from trust_samples import trusting_results

from mixqual.errors import RunError
from mixqual.layout import Table
from mixqual.report import auc_table, figure_2, make, names, report_tables, tree_tables
from mixqual.report.catalogue import FIGURES, PAPER, TABLES
from mixqual.report.figure_files import figure_bytes
from mixqual.results.names import UNSEEN


def test_a_name_is_known_once() -> None:
    listed = names()
    assert len(listed) == len(set(listed))
    assert not FIGURES.keys() & TABLES.keys()
    assert not PAPER.keys() & (FIGURES.keys() | TABLES.keys())
    assert set(PAPER.values()) <= TABLES.keys()


def test_the_paper_s_tables_are_those_of_the_run() -> None:
    results = sample_results(trees=True)
    for number in (2, 3, 4, 5):
        assert make(results, f"table{number}") == auc_table(results)
    treenet, inverted, both = tree_tables(results)
    assert make(results, "table6") == treenet
    assert make(results, "table7") == inverted
    assert make(results, "both") == both


def test_every_name_makes_a_table_or_a_figure_where_the_run_can_have_it() -> None:
    results = recommending(trusting_results(4, trees=True)) | {
        "held_out": [],
        "metrics": {},
        "unseen": [
            {
                "distortion": "jpeg",
                "experts": ["clean"],
                "auc": {UNSEEN: {"auc": 0.5, "ci95": [0.4, 0.6]}},
                "comparisons": [],
            }
        ],
    }
    tables = ("auc", "accuracy", "accuracy_ci95")
    results["without_twins"] = {"twins": 1, "images": 778, **{key: results[key] for key in tables}}
    info = {"name": "N", "better": "lower", "formula": "f", "source": "s"}
    error, errors = {"value": None}, dict.fromkeys(("mce", "relative_mce"), info)
    results["corruption_error"] = {
        model: {"baseline": "clean", "metric_info": errors, "mce": error, "relative_mce": error}
        for model in results["models"]
    }
    results["metric_info"] = dict.fromkeys(("class_mean_accuracy", "nll", "ece"), info)
    for name in FIGURES:
        assert isinstance(make(results, name), Figure)
    for name in (*TABLES, *PAPER):
        assert isinstance(make(results, name), Table)
    assert report_tables(results) == [make(results, name) for name in TABLES if name != "gate"]


def test_a_figure_alone_is_that_of_the_report() -> None:
    results = sample_results(1)
    made = make(results, "fig2")
    assert isinstance(made, Figure)
    assert figure_bytes(made, "png") == figure_bytes(figure_2(results), "png")


@pytest.mark.parametrize("name", ["conditional", "thresholds"])
def test_older_results_are_told_to_be_older(name: str) -> None:
    results = sample_results()
    del results["conditional"]
    with pytest.raises(RunError, match=f"sample has no {name}: .* older than conditional inf"):
        make(results, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("costs", "has no trees"),
        ("table6", "shares no stages this way"),
        ("table7", "shares no stages this way"),
        ("both", "shares no stages this way"),
        ("distortions", "few enough to be in the table auc"),
        ("quality", "version 0.1"),
        ("unseen", "leave_one_out"),
    ],
)
def test_what_a_run_cannot_have_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(RunError, match=f"sample has no {name}: .*{reason}"):
        make(sample_results(), name)


def test_an_unknown_name_lists_all() -> None:
    with pytest.raises(RunError) as refused:
        make(sample_results(), "fig7")
    assert str(refused.value) == f"there is no 'fig7'; there are {', '.join(names())}"


def test_figures_of_pixels_and_networks_name_what_makes_them() -> None:
    with pytest.raises(RunError, match="`mixqual neurons` makes it"):
        make(sample_results(), "fig3")
    with pytest.raises(RunError, match=r"examples\.json"):
        make(sample_results(), "fig1")
