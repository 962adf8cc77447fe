from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.data import DecodedImages, Leak, find_leaks, find_twins, refuse_leaks
from mixqual.errors import DataError

SPLITS = ("train", "val", "test")


def images_of(*rows: tuple[str, str, str | None, str]) -> tuple[DecodedImages, dict]:
    """Images from (split, class, group, pixels), with files that differ; and their splits."""
    classes = tuple(sorted({row[1] for row in rows}))
    images = DecodedImages(
        pixels_NHWC=np.zeros((len(rows), 1, 1, 1), np.uint8),
        labels_N=np.array([classes.index(row[1]) for row in rows], np.int64),
        ids=tuple(f"{number}.png" for number in range(len(rows))),
        splits=(None,) * len(rows),
        classes=classes,
        left_out=(),
        credit="",
        groups=tuple(row[2] for row in rows),
        file_hashes=tuple(f"file {number}" for number in range(len(rows))),
        pixel_hashes=tuple(row[3] for row in rows),
    )
    positions = {
        split: np.array([n for n, row in enumerate(rows) if row[0] == split], np.int64)
        for split in SPLITS
    }
    return images, positions


def test_each_kind_of_leak_is_found_with_its_first_twin() -> None:
    images, splits = images_of(
        ("train", "a", None, "p0"),
        ("train", "a", "video 1", "p1"),
        ("train", "a", None, "p0"),  # a copy within a split is no leak
        ("val", "a", None, "p0"),
        ("test", "a", "video 1", "p4"),
        ("test", "a", None, "p5"),
        ("test", "a", None, "p0"),
        ("unused", "a", "video 1", "p1"),
    )
    images = replace(images, file_hashes=(*images.file_hashes[:6], "file 0", "file 7"))
    assert find_leaks(images, splits) == (
        Leak("splits", "3.png", "val", "0.png", "train", "the same pixels"),
        Leak("splits", "4.png", "test", "1.png", "train", "group 'video 1'"),
        Leak("splits", "6.png", "test", "0.png", "train", "the same file"),
    )


def test_the_same_image_in_two_classes_is_a_conflict_within_a_split_too() -> None:
    images, splits = images_of(
        ("train", "a", "g", "p0"),
        ("train", "b", "g", "p0"),
        ("train", "b", "g", "p2"),
        ("unused", "c", None, "p2"),
    )
    assert find_leaks(images, splits) == (
        Leak("classes", "1.png", "b", "0.png", "a", "the same pixels"),
    )


def test_nothing_is_found_where_nothing_is_known() -> None:
    images, splits = images_of(("train", "a", "g", "p"), ("test", "b", "g", "p"))
    bare = replace(images, groups=(), file_hashes=(), pixel_hashes=())
    assert find_leaks(images, splits)
    assert find_leaks(bare, splits) == ()
    assert refuse_leaks(bare, splits, "raise") == ()


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SPLITS),
            st.just("a"),
            st.sampled_from([None, "g", "h"]),
            st.integers(0, 12).map(str),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_an_image_leaks_if_any_image_of_an_earlier_split_shares_with_it(
    rows: list[tuple[str, str, str | None, str]],
) -> None:
    images, splits = images_of(*rows)
    expected = {
        f"{late}.png"
        for late, one in enumerate(rows)
        for other in rows
        if SPLITS.index(other[0]) < SPLITS.index(one[0])
        and (other[3] == one[3] or (one[2] is not None and one[2] == other[2]))
    }
    found = find_leaks(images, splits)
    assert {leak.id for leak in found} == expected
    assert len(found) == len(expected)


def test_the_error_counts_all_names_some_and_says_what_to_do() -> None:
    rows = [("train", "a", None, f"p{n}") for n in range(7)]
    rows += [("test", "a", None, f"p{n}") for n in range(7)]
    images, splits = images_of(*rows, ("train", "b", None, "p0"))
    with pytest.raises(DataError) as caught:
        refuse_leaks(images, splits, "raise")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("7 images are of val or test and in an earlier split, or of a group")
    assert lines[1] == "  7.png (test) and 0.png (train): the same pixels"
    assert lines[6] == "  and 2 more"
    assert lines[8] == "1 image is in another class as well:"
    assert lines[-1] == 'or go on all the same with data.on_leak = "warn"'


def test_a_warning_says_as_much_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    images, splits = images_of(("train", "a", None, "p"), ("val", "[red]b\n", None, "p"))
    leaks = refuse_leaks(images, splits, "warn")
    assert [leak.between for leak in leaks] == ["splits", "classes"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "warning: 1 image is of val or test and in an earlier split" in shown.err
    assert r"  1.png ([red]b\n) and 0.png (a): the same pixels" in shown.err
    assert refuse_leaks(images, splits, "warn", shown=False) == leaks
    assert capsys.readouterr().err == ""


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*SPLITS, "unused"]),
            st.sampled_from("ab"),
            st.sampled_from([None, "g", "h"]),
            st.integers(0, 12).map(str),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_twins_of_a_split_are_all_that_share_with_another_split_or_class(
    rows: list[tuple[str, str, str | None, str]],
) -> None:
    images, splits = images_of(*rows)
    for split in SPLITS:
        expected = [
            any(
                (other[3] == one[3] and (other[0] != one[0] or other[1] != one[1]))
                or (other[0] != one[0] and one[2] is not None and one[2] == other[2])
                for other in rows
                if other[0] != "unused"
            )
            for one in rows
            if one[0] == split
        ]
        assert find_twins(images, splits, split).tolist() == expected
