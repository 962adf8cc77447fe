import pytest

from mixqual.counting import counted


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (2, ("class",), "2 classes"),
        (1, ("class", "have"), "1 class has"),
        (2, ("image", "are"), "2 images are"),
        (1, ("image", "cannot"), "1 image cannot"),
    ],
)
def test_a_noun_and_a_verb_follow_the_number(
    number: int, words: tuple[str, ...], expected: str
) -> None:
    assert counted(number, *words) == expected
