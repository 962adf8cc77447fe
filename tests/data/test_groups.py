from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mixqual.config import SplitConfig
from mixqual.data import DecodedImages, make_splits
from mixqual.errors import DataError

Groups = list[tuple[str | None, list[int]]]
"""A group's name, and how many images of each class it has."""


def images_of(groups: Groups, split: str | None = None) -> DecodedImages:
    rows = [
        (f"{position:03}-{label}-{number}", label, name)
        for position, (name, counts) in enumerate(groups)
        for label, count in enumerate(counts)
        for number in range(count)
    ]
    classes = max(len(counts) for _, counts in groups)
    return DecodedImages(
        pixels_NHWC=np.zeros((len(rows), 1, 1, 1), np.uint8),
        labels_N=np.array([label for _, label, _ in rows], np.int64),
        ids=tuple(name for name, _, _ in rows),
        splits=(split,) * len(rows),
        classes=tuple(f"class{label}" for label in range(classes)),
        left_out=(),
        credit="",
        groups=tuple(group for _, _, group in rows),
    )


def splits_of_groups(images: DecodedImages, splits: dict[str, np.ndarray]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for split, positions in splits.items():
        for position in positions:
            found.setdefault(images.groups[position], set()).add(split)
    return found


def counts_of(images: DecodedImages, positions: np.ndarray) -> list[int]:
    return np.bincount(images.labels_N[positions], minlength=len(images.classes)).tolist()


sizes_of_groups = st.lists(st.integers(1, 6), min_size=3, max_size=25)


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(sizes_of_groups, min_size=2, max_size=3),
    train=st.floats(0.05, 0.9),
    val=st.floats(0.05, 0.9),
    rest=st.sampled_from(["train", "test", "neither"]),
    seed=st.integers(0, 1000),
)
def test_fractions_part_no_group(
    sizes: list[list[int]], train: float, val: float, rest: str, seed: int
) -> None:
    assume(train + val < 0.95)
    groups = [
        (f"{label}/{number}", [size if own == label else 0 for own in range(len(sizes))])
        for label, mine in enumerate(sizes)
        for number, size in enumerate(mine)
    ]
    images = images_of(groups)
    config = SplitConfig(
        train=None if rest == "train" else train,
        val=val,
        test=None if rest == "test" else 1 - train - val,
        seed=seed,
    )
    splits = make_splits(images, config)
    assert all(len(found) == 1 for found in splits_of_groups(images, splits).values())
    used = np.concatenate(list(splits.values()))
    assert sorted(used) == list(range(len(images.ids)))
    for label, mine in enumerate(sizes):
        for split, share in (("val", val), ("train", train), ("test", 1 - train - val)):
            got = counts_of(images, splits[split])[label]
            assert got > 0
            # Each of a split's two bounds is off by half a group, or by what gives each split one.
            if min(train, val, 1 - train - val) * sum(mine) > 2 * max(mine):
                assert abs(got - share * sum(mine)) <= max(mine) + 1


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(sizes_of_groups, min_size=2, max_size=3),
    train=st.integers(1, 12),
    val=st.integers(1, 6),
    test=st.integers(1, 50),
    seed=st.integers(0, 1000),
)
def test_counts_are_met_and_part_no_group(
    sizes: list[list[int]], train: int, val: int, test: int, seed: int
) -> None:
    groups = [
        (f"{label}/{number}", [size if own == label else 0 for own in range(len(sizes))])
        for label, mine in enumerate(sizes)
        for number, size in enumerate(mine)
    ]
    images = images_of(groups)
    # Of the last group of val and that of train up to 5 images stay unused.
    enough = min(sum(mine) for mine in sizes) >= train + val + 2 * 5 + 1
    try:
        splits = make_splits(images, SplitConfig(train=train, val=val, test=test, seed=seed))
    except DataError:
        assert not enough
        return
    assert all(len(found) == 1 for found in splits_of_groups(images, splits).values())
    assert counts_of(images, splits["train"]) == [train] * len(sizes)
    assert counts_of(images, splits["val"]) == [val] * len(sizes)
    for mine, got in zip(sizes, counts_of(images, splits["test"]), strict=True):
        assert min(test, sum(mine) - train - val - 10) <= got <= test


def test_groups_of_one_image_change_nothing() -> None:
    plain = images_of([(None, [20, 0]), (None, [0, 33])])
    alone = replace(plain, groups=tuple(plain.ids))
    for config in (SplitConfig(train=0.5), SplitConfig(train=5, val=3, test=10)):
        found, expected = make_splits(alone, config), make_splits(plain, config)
        for split in expected:
            np.testing.assert_array_equal(found[split], expected[split])


def test_images_of_no_group_are_drawn_one_by_one() -> None:
    images = images_of([("pair", [2, 0]), (None, [8, 0]), (None, [0, 10])])
    splits = make_splits(images, SplitConfig(train=5, val=3, test=2))
    assert [len(splits[split]) for split in ("train", "val", "test")] in ([10, 6, 4], [10, 6, 3])


def test_groups_are_held_out_of_a_given_train_split() -> None:
    groups = [
        (f"{label}{n}", [4 * (label == 0), 4 * (label == 1)]) for label in (0, 1) for n in "xyz"
    ]
    images = images_of(groups, split="train")
    splits = make_splits(images, SplitConfig(val=0.3, test=0.3))
    assert all(len(found) == 1 for found in splits_of_groups(images, splits).values())
    assert [counts_of(images, splits[split]) for split in splits] == [[4, 4]] * 3


def test_names_of_groups_do_not_matter() -> None:
    images = images_of([(f"g{n}", [3 * (n % 2), 3 * (1 - n % 2)]) for n in range(20)])
    other = replace(images, groups=tuple(f"{name[::-1]}!" for name in images.groups))
    found, expected = (make_splits(each, SplitConfig(train=0.5)) for each in (images, other))
    for split in expected:
        np.testing.assert_array_equal(found[split], expected[split])


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=30, max_size=60),
    seed=st.integers(0, 1000),
)
def test_groups_of_several_classes_are_not_parted(counts: list[tuple[int, int]], seed: int) -> None:
    groups = [(f"p{number}", list(pair)) for number, pair in enumerate(counts) if sum(pair)]
    for label in (0, 1):
        assume(sum(pair[label] > 0 for _, pair in groups) >= 12)
    images = images_of(groups)
    splits = make_splits(images, SplitConfig(train=0.5, val=0.25, seed=seed))
    assert all(len(found) == 1 for found in splits_of_groups(images, splits).values())
    assert sum(map(len, splits.values())) == len(images.ids)
    totals = np.bincount(images.labels_N)
    rarest = int(np.argmin(totals))
    for split, share in (("train", 0.5), ("val", 0.25), ("test", 0.25)):
        got = counts_of(images, splits[split])[rarest]
        assert abs(got - share * totals[rarest]) <= 6


def test_every_group_has_all_classes() -> None:
    images = images_of([(f"patient{number}", [10, 2, 5]) for number in range(10)])
    splits = make_splits(images, SplitConfig(train=0.5, val=0.2))
    assert [counts_of(images, splits[split]) for split in ("train", "val", "test")] == [
        [50, 10, 25],
        [20, 4, 10],
        [30, 6, 15],
    ]


def test_counts_of_groups_of_several_classes_are_refused() -> None:
    images = images_of([(f"p{number}", [10, 2]) for number in range(10)])
    message = r"000-1-1 \(class 'class1'\) and 000-0-9 \(class 'class0'\) must stay together.*train"
    with pytest.raises(DataError, match=message):
        make_splits(images, SplitConfig(train=25, val=0.2))


def test_too_few_groups() -> None:
    images = images_of([("a", [20, 0]), ("b", [20, 0]), (None, [0, 30])])
    message = r"class 'class0' has 40 images in 2 sets that must stay together, but needs 3 of them"
    with pytest.raises(DataError, match=message):
        make_splits(images, SplitConfig(train=0.5))
    images = images_of([("a", [20, 0]), ("b", [2, 0]), ("c", [2, 0]), (None, [0, 30])])
    message = r"class 'class0' has 24 images in 3 sets .* needs more of them for split\.\w+ = \d+"
    with pytest.raises(DataError, match=message):
        make_splits(images, SplitConfig(train=9, val=9, test=4))
