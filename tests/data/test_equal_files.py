import itertools
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.data import undecoded_copies
from mixqual.data.index import ImageIndex, Item
from mixqual.images import Embedded

# Of two sizes, with heads and ends of two kinds each.
CONTENTS = [
    head * 5000 + end for head, end in itertools.product((b"a", b"b"), (b"x", b"y", b"xy", b"yx"))
]


@settings(deadline=None, max_examples=30)
@given(chosen=st.lists(st.sampled_from(CONTENTS), max_size=12), embedded=st.booleans())
def test_files_share_a_text_if_and_only_if_they_hold_the_same(
    tmp_path_factory: object, chosen: list[bytes], embedded: bool
) -> None:
    root: Path = tmp_path_factory.mktemp("files")
    items = []
    for number, data in enumerate(chosen):
        path: Path | Embedded = root / f"{number}.jpg"
        (root / f"{number}.jpg").write_bytes(data)
        if embedded and number % 2:
            path = Embedded("table", number, len(data), chosen.__getitem__)
        items.append(Item(f"{number}.jpg", path, 0, None))
    index = ImageIndex("set", ("a",), tuple(items), (), "")
    found = undecoded_copies(index).file_hashes
    for one, other in itertools.combinations(range(len(chosen)), 2):
        assert (found[one] == found[other]) == (chosen[one] == chosen[other])


def test_a_file_that_cannot_be_read_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(b"x")
    items = [Item(f"{number}.jpg", tmp_path / f"{number}.jpg", 0, None) for number in range(3)]
    found = undecoded_copies(ImageIndex("set", ("a",), tuple(items), (), "")).file_hashes
    assert len(set(found)) == 3
