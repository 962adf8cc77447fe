"""Which output is which folder: by names wherever there are any, else in an order that is said."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timm.data import ImageNetInfo

from mixqual.errors import DataError
from mixqual.networks.class_order import imagenet_ids, order_classes, parse_classes

names = st.lists(st.text("abcdé12", min_size=1, max_size=4), min_size=2, max_size=12, unique=True)


@given(names, st.randoms(use_true_random=False), st.booleans())
def test_every_folder_is_the_output_of_its_name(
    classes: list[str], random: object, from_user: bool
) -> None:
    """Whatever the order of the model's names, and whichever of them have a folder."""
    shuffled = sorted(classes, key=lambda _: random.random())  # type: ignore[attr-defined]
    folders = sorted(classes)[: max(1, len(classes) - 1)]
    known, said = (None, shuffled) if from_user else (shuffled, None)
    found = order_classes(folders, len(classes), known, said)
    assert [shuffled[output] for output in found.output_of_each] == folders
    assert not found.by_position


def test_without_names_the_folders_are_taken_in_the_order_of_text() -> None:
    found = order_classes(("a", "b", "c"), 3)
    assert found.output_of_each.tolist() == [0, 1, 2]
    assert found.by_position
    assert "in the order of plain text (a, b, c)" in found.in_words


NUMBERED = [str(number) for number in range(12)]


@pytest.mark.parametrize("form", ["{}", "class {}", "c{}x", "2020-{}"])
def test_numbers_whose_order_is_another_need_one_that_is_said(form: str) -> None:
    """In plain text 10 and 11 come before 2, and so their outputs do, or do not."""
    folders = sorted(form.format(number) for number in range(12))
    with pytest.raises(DataError, match=r"class folders are numbered.*which is that of the mod"):
        order_classes(folders, 12)
    by_number = order_classes(folders, 12, given="numeric")
    assert [folders[place] for place in np.argsort(by_number.output_of_each)] == [
        form.format(number) for number in range(12)
    ]
    assert "in the order of their numbers" in by_number.in_words
    by_text = order_classes(folders, 12, given="text")
    assert by_text.output_of_each.tolist() == list(range(12))
    assert "in the order of plain text" in by_text.in_words


@given(st.integers(1, 4), st.integers(2, 10))
def test_numbers_that_are_in_both_orders_are_in_no_doubt(width: int, count: int) -> None:
    folders = sorted(f"{number:0{width}}" for number in range(count))
    assert order_classes(folders, count).output_of_each.tolist() == list(range(count))


def test_imagenet_s_ids_are_found() -> None:
    ids = ("n01440764", "n02102040")
    assert order_classes(ids, 1000).output_of_each.tolist() == [0, 217]
    assert imagenet_ids() == tuple(ImageNetInfo().label_names())
    everything = order_classes(sorted(imagenet_ids()), 1000)
    assert everything.output_of_each.tolist() == list(range(1000))
    assert not everything.by_position


def test_one_name_in_two_forms_of_unicode_is_one() -> None:
    found = order_classes(("cafe\u0301", "tea"), 2, ("tea", "caf\xe9"))
    assert found.output_of_each.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("folders", "outputs", "known", "said", "message"),
    [
        (
            ("a", "x"),
            2,
            ("a", "b"),
            None,
            r"no classes of the model: x; .* are a, b \(without .* b",
        ),
        (("a", "b"), 3, None, ("a", "b"), "2 names of classes .* but the model has 3 outputs"),
        (("a", "b"), 3, ("a", "b"), None, "2 names of classes .* but the model has 3 outputs"),
        (("a", "b"), 3, None, None, "has 3 classes, but the folder has 2"),
        (("a", "b"), 2, None, ("a", "a"), "two outputs of the model are called 'a'"),
        (
            ("a", "b"),
            2,
            ("b", "a"),
            ("a", "b"),
            "'a' for output 0, but in the model it is output 1",
        ),
        (("a", "b"), 2, ("a", "b"), "text", "the model knows its own classes"),
        (("a", "b"), 2, None, "numeric", "the folders are not numbered"),
        (("a", "b"), 2, None, "alphabetic", "'alphabetic' is no order"),
        (("cat", "n02102040"), 1000, None, None, "'cat' is not named by a WordNet id"),
    ],
)
def test_refuses_what_does_not_fit(
    folders: tuple[str, ...],
    outputs: int,
    known: tuple[str, ...] | None,
    said: str | tuple[str, ...] | None,
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        order_classes(folders, outputs, known, said)


def test_a_model_s_classes_may_be_called_otherwise() -> None:
    found = order_classes(("Dog", "cat"), 2, ("cat", "dog"), ("cat", "Dog"))
    assert found.output_of_each.tolist() == [1, 0]


def test_classes_from_the_command_line(tmp_path: Path) -> None:
    assert parse_classes("text") == "text"
    assert parse_classes("numeric") == "numeric"
    assert parse_classes("cat, dog") == ("cat", "dog")
    listed = tmp_path / "labels.txt"
    listed.write_bytes(b"\xef\xbb\xbfcat\r\nbig, old dog\r\n\r\n")
    assert parse_classes(str(listed)) == ("cat", "big, old dog")
    for text in ("cat", "", str(tmp_path)):
        with pytest.raises(DataError, match="no file and no two names"):
            parse_classes(text)
    listed.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read: it is not UTF-8 text"):
        parse_classes(str(listed))
