import pytest

from mixqual.errors import StudyError
from mixqual.keep import Keep
from mixqual.report.floors import check_floors, floor_keeps, missed_floors, parse_floors

RESULTS = {
    "models": ["own"],
    "provenance": {},
    "distortions": {
        "gaussian_blur": {"levels": [0, 10], "unit": "pixels"},
        "jpeg": {"levels": [100, 10], "unit": "quality"},
    },
    "kept_levels": {
        "own": {
            "gaussian_blur": {"90%": {"level": 4.0}, "0.95": {"level": "never"}},
            "jpeg": {"90%": {"level": 40.0}, "50%": {"level": "beyond"}},
        }
    },
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
        # Levels hold up to what is kept; of JPEG, quality falls as damage grows.
        ({"gaussian_blur@90%": 4.0, "jpeg@90%": 40.0, "jpeg@50%": 10.0}, []),
        (
            {"gaussian_blur@90%": 4.5, "jpeg@90%": 39.0, "gaussian_blur@0.95": 0.0},
            [
                "own: under gaussian_blur it keeps 90 % of clean up to 4 pixels, not up to the "
                "floor of 4.5",
                "own: under jpeg it keeps 90 % of clean down to 40 quality, not down to the floor "
                "of 39",
                "own: under gaussian_blur it keeps accuracy 0.95 not even without it, not up to "
                "the floor of 0",
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


def test_floors_of_levels_are_read_from_options() -> None:
    floors = parse_floors(["gaussian_blur@90%=4.5", "jpeg@0.80=40", "jpeg=0.5"])
    assert floors == {"gaussian_blur@90%": 4.5, "jpeg@0.8": 40.0, "jpeg": 0.5}
    assert floor_keeps(floors) == [Keep(0.9), Keep(0.8, of_clean=False)]
    for text in ("jpeg@=40", "jpeg@most=40", "jpeg@120%=40"):
        with pytest.raises(StudyError, match="such as 90%, or an accuracy"):
            parse_floors([text])


def test_a_floor_of_a_level_that_was_not_measured_is_refused() -> None:
    for name in ("fog", "average", "clean"):
        with pytest.raises(StudyError, match=f"floor for {name}, .* a level is that of one"):
            check_floors({f"{name}@90%": 1.0}, ["gaussian_blur"])
    with pytest.raises(StudyError, match="none of the levels that were tested, 100 to 10 quality"):
        missed_floors(RESULTS, {"jpeg@90%": 5.0})
    with pytest.raises(StudyError, match=r"up to which level 80% is kept; they have 90%, 50%"):
        missed_floors(RESULTS, {"jpeg@80%": 40.0})
