"""Confusion matrices of results that have them."""

from page_samples import CLASSES, full_results

from mixqual.report.page.confusion_data import confusion_data


def test_matrices_are_those_of_the_results() -> None:
    results = full_results()
    found = confusion_data(results)
    assert found
    assert found["matrices"] == results["confusion"]
    assert found["classes"] == CLASSES
    assert [model["label"] for model in found["models"]] == ["M_clean", "M_mix"]
    assert found["distortions"][0]["levels"] == list(results["accuracy"]["mix"]["gaussian_noise"])


def test_shares_are_of_the_true_class() -> None:
    results = full_results(confusion={"mix": {"gaussian_blur": {"0": [[3, 1], [0, 0]]}}})
    found = confusion_data(results)
    assert found
    assert found["first"] == [
        [
            {"count": "3", "share": 0.75, "percent": "75 %"},
            {"count": "1", "share": 0.25, "percent": "25 %"},
        ],
        [
            {"count": "0", "share": 0.0, "percent": "0 %"},
            {"count": "0", "share": 0.0, "percent": "0 %"},
        ],
    ]


def test_classes_without_names_have_numbers() -> None:
    found = confusion_data(full_results(classes=["one too few"]))
    assert found
    assert found["classes"] == ["0", "1"]


def test_results_may_be_without() -> None:
    assert confusion_data(full_results(confusion={})) is None
