import pytest

from mixqual.errors import StudyError
from mixqual.report.floors import check_floors, missed_floors, parse_floors

RESULTS = {
    "models": ["own"],
    "distortions": {"gaussian_blur": {}, "jpeg": {}},
    "accuracy": {"own": {"gaussian_blur": {"0": 0.9, "10": 0.3}, "jpeg": {"100": 0.9, "10": 0.5}}},
    "auc": {"own": {"gaussian_blur": {"auc": 0.6}, "jpeg": {"auc": 0.7}, "average": {"auc": 0.65}}},
}


@pytest.mark.parametrize(
    ("floors", "messages"),
    [
        ({}, []),
        ({"gaussian_blur": 0.6, "jpeg": 0.5, "average": 0.65, "clean": 0.9}, []),
        ({"gaussian_blur": 0.61}, ["own: AUC of gaussian_blur is 0.6, below the floor of 0.61"]),
        (
            {"clean": 0.95, "jpeg": 0.7, "average": 0.7},
            [
                "own: accuracy on clean images is 0.9, below the floor of 0.95",
                "own: AUC of average is 0.65, below the floor of 0.7",
            ],
        ),
    ],
)
def test_what_is_below_its_floor_is_said(floors: dict[str, float], messages: list[str]) -> None:
    assert missed_floors(RESULTS, floors) == messages


def test_a_floor_of_what_is_not_measured_is_refused() -> None:
    with pytest.raises(StudyError, match=r"floor for fog, .* gaussian_blur, jpeg, average, clean"):
        missed_floors(RESULTS, {"fog": 0.5})
    with pytest.raises(StudyError, match="for fog, frost, which"):
        check_floors({"fog": 0.1, "average": 0.1, "frost": 0.1}, ["snow"])


def test_floors_are_read_from_options() -> None:
    assert parse_floors(["gaussian_blur=0.6", "average=1"]) == {"gaussian_blur": 0.6, "average": 1}
    assert parse_floors([]) == {}
    for text in ("gaussian_blur", "average=high", "=", ""):
        with pytest.raises(StudyError, match=r"--fail-under .*write name=floor"):
            parse_floors([text])
    for text in ("clean=60", "clean=-1", "clean=nan"):
        with pytest.raises(StudyError, match="lies between 0 and 1"):
            parse_floors([text])
