from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mixqual.data import DecodedImages
from mixqual.data.grouping import unite

Keys = Sequence[str | None]


def images_of(count: int, groups: Keys = (), files: Keys = (), pixels: Keys = ()) -> DecodedImages:
    return DecodedImages(
        pixels_NHWC=np.zeros((count, 1, 1, 1), np.uint8),
        labels_N=np.zeros(count, np.int64),
        ids=tuple(map(str, range(count))),
        splits=(None,) * count,
        classes=("only",),
        left_out=(),
        credit="",
        groups=tuple(groups),
        file_hashes=tuple(files),
        pixel_hashes=tuple(pixels),
    )


def test_without_groups_and_copies_each_image_is_alone() -> None:
    assert unite(images_of(4)).tolist() == [0, 1, 2, 3]
    alone = images_of(4, [None] * 4, list("abcd"), list("efgh"))
    assert unite(alone).tolist() == [0, 1, 2, 3]
    assert unite(images_of(0)).dtype == np.int64


def test_groups_are_joined_by_a_copy_between_them() -> None:
    # Image 4 of group y has the pixels of image 1 of group x; image 3 is a copy of image 0.
    images = images_of(
        6, ["x", "x", None, None, "y", "y"], pixels=["p0", "p1", "p2", "p0", "p1", "p5"]
    )
    assert unite(images).tolist() == [0, 0, 2, 0, 0, 0]


def test_copies_in_two_classes_are_not_joined_but_groups_are() -> None:
    images = replace(
        images_of(5, [None, None, None, "g", "g"], pixels=["p", "p", "p", "q", "r"]),
        labels_N=np.array([0, 1, 1, 0, 1]),
    )
    assert unite(images).tolist() == [0, 1, 1, 3, 3]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([None, *"abcdef"]), st.integers(0, 30)), min_size=1, max_size=40
    )
)
def test_it_finds_the_connected_components(rows: list[tuple[str | None, int]]) -> None:
    count = len(rows)
    pairs = [
        (one, other)
        for one in range(count)
        for other in range(count)
        if rows[one][1] == rows[other][1]
        or (rows[one][0] is not None and rows[one][0] == rows[other][0])
    ]
    ends = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (ends[0], ends[1])), shape=(count, count))
    _, component_N = connected_components(graph.tocsr(), directed=False)
    first = {name: position for position, name in reversed(list(enumerate(component_N.tolist())))}
    images = images_of(count, [row[0] for row in rows], pixels=[str(row[1]) for row in rows])
    assert unite(images).tolist() == [first[name] for name in component_N.tolist()]
