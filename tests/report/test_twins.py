from typing import Any

from report_samples import sample_results

from mixqual.layout import to_csv, to_markdown
from mixqual.report import make
from mixqual.report.notes import auc_warnings
from mixqual.report.page import render_page
from mixqual.report.twins import twins_table

LEAK = {
    "between": "splits",
    "id": "a.jpg",
    "place": "test",
    "twin": "b.jpg",
    "twin_place": "train",
    "what": "the same pixels",
}


def with_twins(images: int) -> dict[str, Any]:
    """Sample results of 779 test images, of which so many have no twin and are all right."""
    results = sample_results()
    without: dict[str, Any] = {"twins": 779 - images, "images": images}
    if images:
        ones = {model: {"average": {"auc": 1.0}} for model in results["models"]}
        levels = {
            model: {name: dict.fromkeys(row, 1.0) for name, row in by_name.items()}
            for model, by_name in results["accuracy"].items()
        }
        ends = {
            model: {name: {key: [0.9, 1.0] for key in row} for name, row in by_name.items()}
            for model, by_name in results["accuracy"].items()
        }
        without |= {"auc": ones, "accuracy": levels, "accuracy_ci95": ends}
    return results | {"leaks": [LEAK], "without_twins": without}


def test_each_model_stands_with_and_without() -> None:
    results = with_twins(770)
    table = make(results, "twins")
    assert [row[0] for row in table.rows][:2] == ["M_clean", "M_noise"]
    for model, row in zip(results["models"], table.rows, strict=True):
        first = next(iter(results["accuracy"][model].values()))
        clean, area = next(iter(first.values())), results["auc"][model]["average"]["auc"]
        assert row[1:3] == (f"{clean:.3f}", "1.000")
        assert row[4:6] == (f"{area:.3f}", "1.000")
        assert row[6] == f"+{1 - area:.3f}"
    assert "Clean, all 779" in table.header
    assert "AUC, other 770" in table.header
    assert "9 of 779 test images are" in to_markdown(table)
    levels = sum(len(grid["levels"]) for grid in results["distortions"].values())
    assert len(to_csv(table).splitlines()) == 1 + levels * len(results["models"])


def test_the_warning_leads_to_it() -> None:
    [warning] = auc_warnings(with_twins(770))
    assert "the 9 test images among them" in warning
    [warning] = auc_warnings(with_twins(0))
    assert warning.endswith("No test image is apart from all others.")
    [warning] = auc_warnings(sample_results() | {"leaks": [LEAK]})  # of an older version
    assert warning.endswith("leaks.csv.")


def test_it_is_on_the_page() -> None:
    page = render_page(with_twins(770), {}, None)
    assert "With and without the test images that have a twin elsewhere" in page


def test_there_is_none_without_twins_or_without_others() -> None:
    assert twins_table(sample_results()) is None
    assert twins_table(sample_results() | {"without_twins": {}}) is None
    assert twins_table(with_twins(0)) is None
