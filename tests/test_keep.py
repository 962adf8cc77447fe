import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.errors import StudyError
from mixqual.keep import Keep


@settings(deadline=None, max_examples=50)
@given(thousandths=st.integers(1, 1000), of_clean=st.booleans())
def test_what_is_enough_reads_back(thousandths: int, of_clean: bool) -> None:
    keep = Keep(thousandths / 1000, of_clean)
    assert Keep.parse(keep.name).name == keep.name
    assert Keep.parse(keep.name).value == pytest.approx(keep.value)
    assert Keep.parse(keep.name).of_clean == of_clean


def test_names_of_what_is_enough() -> None:
    assert Keep.parse("90%") == Keep(0.9)
    assert Keep(0.9).name == "90%"
    assert Keep(0.8, of_clean=False).name == "0.8"
    for text in ("", "%", "90", "0", "-1%", "101%", "half", "nan", "nan%"):
        with pytest.raises(StudyError, match="such as 90%, or an accuracy"):
            Keep.parse(text)
