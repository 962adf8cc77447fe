from pathlib import Path

from image_files import folder, gray, rgb, save

from mixqual.data import ImageIndex, Item
from mixqual.data.survey import survey
from mixqual.images import Embedded, examine


def test_kinds_formats_and_suffixes_are_counted(root: Path) -> None:
    save(rgb(), root / "a" / "colour.jpg")
    save(rgb().quantize(4), root / "a" / "palette.gif")
    save(rgb().convert("CMYK"), root / "b" / "cmyk.tif")
    save(gray().convert("LA"), root / "b" / "clear.png")
    save(rgb(), root / "b" / "wrong.png").rename(root / "b" / "wrong.tif")
    found = survey(folder(root))
    assert {kind: count for kind, count in found.kinds.items() if count} == {
        "grayscale": 7,
        "colour": 2,
        "palette": 1,
        "cmyk": 1,
        "transparent": 1,
    }
    assert found.formats == {"PNG": 8, "JPEG": 1, "GIF": 1, "TIFF": 1}
    assert [(file.id, file.reason) for file in found.wrong_suffixes] == [
        ("b/wrong.tif", "holds PNG")
    ]
    assert set(found.widths) == set(found.heights) == {40}


def test_undecoded_images_follow_the_index_without_what_is_unreadable(root: Path) -> None:
    (root / "a" / "1.png").write_bytes(b"")
    index = folder(root)
    images = survey(index).undecoded(index)
    kept = [item for item in index.items if item.id != "a/1.png"]
    assert images.ids == tuple(item.id for item in kept)
    assert images.labels_N.tolist() == [item.label for item in kept]
    assert images.pixel_hashes == tuple(examine(item.path)[1].pixel_hash for item in kept)
    assert [file.id for file in images.left_out] == ["a/1.png"]


def test_images_without_files_of_their_own(root: Path) -> None:
    paths = sorted(root.rglob("*.png"))
    data = [path.read_bytes() for path in paths[:-1]] + [b"broken"]
    items = tuple(
        Item(str(row), Embedded("t.parquet", row, len(held), data.__getitem__), row % 2, None)
        for row, held in enumerate(data)
    )
    found = survey(ImageIndex("t", ("a", "b"), items, (), ""))
    assert found.file_hashes == [examine(path)[1].file_hash for path in paths[:-1]]
    assert [file.id for file in found.unreadable] == ["5"]
