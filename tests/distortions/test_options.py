import pytest

from mixqual.distortions.options import check_number, check_switch
from mixqual.errors import DistortionError


@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_are_switches(value: bool) -> None:
    check_switch("haze", "thick", value)


@pytest.mark.parametrize("value", [0, 1, 1.0, "true", None, []], ids=repr)
def test_nothing_else_is_a_switch(value: object) -> None:
    with pytest.raises(DistortionError, match="haze: thick is true or false, not "):
        check_switch("haze", "thick", value)


@pytest.mark.parametrize("value", [2, 2.0, 3.5, 1e6])
def test_numbers_of_the_range_and_its_ends_are_taken(value: float) -> None:
    check_number("haze", "depth", value, 2, 1e6)


@pytest.mark.parametrize(
    "value", [1.999, 1e6 + 1, -3, float("nan"), float("inf"), True, "3", None, 3j], ids=repr
)
def test_what_is_not_a_number_of_the_range_is_refused(value: object) -> None:
    with pytest.raises(DistortionError, match=r"haze: depth is a number in 2\.\.\.1e\+06, not "):
        check_number("haze", "depth", value, 2, 1e6)
