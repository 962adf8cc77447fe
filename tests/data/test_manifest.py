import itertools
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import gray, save
from pyarrow import parquet

from mixqual.config import DataConfig
from mixqual.data import ImageIndex, decode_images, index_images, open_images
from mixqual.errors import DataError


def manifest(table: Path, **config: object) -> ImageIndex:
    return index_images(DataConfig(source="manifest", path=str(table), **config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images a/0.png ... a/3.png, and the same in b."""
    for number in range(8):
        save(gray(number), tmp_path / "ab"[number // 4] / f"{number % 4}.png")
    return tmp_path


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "table.csv").write_bytes(text.encode(encoding))
    return folder / "table.csv"


def facts(index: ImageIndex) -> dict[str, tuple[str, str | None, str | None]]:
    return {item.id: (index.classes[item.label], item.split, item.group) for item in index.items}


def test_columns_by_name(folder: Path) -> None:
    text = "note,group,path,split,label\nx,p1,a/0.png,train,cat\n,,b/0.png,valid,dog\n"
    index = manifest(write(folder, text + ",p1,./a/../a/1.png,Test,cat\n"))
    assert index.classes == ("cat", "dog")
    assert facts(index) == {
        "a/0.png": ("cat", "train", "p1"),
        "b/0.png": ("dog", "val", None),
        "a/1.png": ("cat", "test", "p1"),
    }
    assert [item.path for item in index.items] == [folder / item.id for item in index.items]


def test_what_spreadsheets_write(folder: Path) -> None:
    save(gray(), folder / 'odd, "name".png')
    text = (
        '\ufeffpath,label\r\n\r\n"a/0.png","cat"\r\n  \r\n,\r\n'
        '"odd, ""name"".png", dog \r\na/1.png,"two\nlines"'
    )
    assert facts(manifest(write(folder, text))) == {
        "a/0.png": ("cat", None, None),
        'odd, "name".png': ("dog", None, None),
        "a/1.png": ("two\nlines", None, None),
    }


def test_numbers_are_in_numeric_order_and_text_is_not(folder: Path) -> None:
    rows = [("a/0.png", "10"), ("a/1.png", "9"), ("a/2.png", "-1")]
    text = "path,label\n" + "\n".join(f"{path},{label}" for path, label in rows)
    assert manifest(write(folder, text)).classes == ("-1", "9", "10")
    assert manifest(write(folder, f"{text}\na/3.png,x")).classes == ("-1", "10", "9", "x")


@given(
    numbers=st.lists(st.integers(-999, 999), min_size=2, max_size=8, unique=True), data=st.data()
)
def test_whole_numbers_written_as_fractions_are_the_same_numbers(
    numbers: list[int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("any")
    rows = ["path,label"]
    for position, number in enumerate(numbers):
        (root / f"{position}.png").touch()
        rows.append(f"{position}.png,{number}{data.draw(st.sampled_from(['', '.0', '.00']))}")
    index = manifest(write(root, "\n".join(rows)))
    assert index.classes == tuple(str(number) for number in sorted(numbers))
    assert [index.classes[item.label] for item in index.items] == list(map(str, numbers))


def test_numbers_with_a_point_among_text_are_text(folder: Path) -> None:
    text = "path,label\na/0.png,1.0\na/1.png,10.0\na/2.png,2.5\n"
    assert manifest(write(folder, text)).classes == ("1.0", "10.0", "2.5")


def test_paths_of_windows_and_of_other_forms_of_unicode(tmp_path: Path) -> None:
    rows = ["path,label"]
    forms = ("NFC", "NFD")
    for number, (disk, table) in enumerate(itertools.product(forms, forms)):
        save(gray(), tmp_path / unicodedata.normalize(disk, f"süd/é{number}.png"))
        rows.append(unicodedata.normalize(table, f"süd\\é{number}.png,{'ab'[number % 2]}"))
    index = manifest(write(tmp_path, "\n".join(rows)))
    assert all(item.path.is_file() for item in index.items)
    assert [item.id for item in index.items] == [
        unicodedata.normalize(disk, f"süd/é{number}.png")
        for number, (disk, _) in enumerate(itertools.product(forms, forms))
    ]
    # A file whose name has a backslash comes first.
    save(gray(), tmp_path / "x\\y.png")
    save(gray(), tmp_path / "x" / "y.png")
    index = manifest(write(tmp_path, "path,label\nx\\y.png,a\nx/y.png,b\n"))
    assert [item.id for item in index.items] == ["x\\y.png", "x/y.png"]


def test_missing_files_of_windows(folder: Path) -> None:
    table = write(folder, "path,label\nC:\\cats\\1.png,a\nb/0.png,b\n")
    with pytest.raises(DataError, match=r"are no files; write / for each backslash, put them"):
        manifest(table)


def test_absolute_paths_and_paths_above(folder: Path) -> None:
    (folder / "lists").mkdir()
    table = write(folder / "lists", f"path,label\n../a/0.png,a\n{folder}/b/0.png,b\n")
    index = manifest(table)
    assert [item.path.resolve() for item in index.items] == [folder / "a/0.png", folder / "b/0.png"]


def test_classes_are_excluded_and_drawn(folder: Path) -> None:
    text = "path,label\na/0.png,a\na/1.png,b\na/2.png,c\na/3.png,d\n"
    index = manifest(write(folder, text), exclude_classes=("b",))
    assert facts(index).keys() == {"a/0.png", "a/2.png", "a/3.png"}
    assert [item.label for item in index.items] == [0, 1, 2]
    assert len(manifest(write(folder, text), sample_classes=2).items) == 2
    with pytest.raises(DataError, match=r"exclude_classes: .*table.csv has no class 'e'; it has a"):
        manifest(write(folder, text), exclude_classes=("e",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,class\na/0.png,x\n", r"table.csv: there is no column 'label'; it has path, class$"),
        ("path;label\na/0.png;x\n", r"no column 'path'; it has path;label; commas part"),
        ("path,label,label\n", r"the column 'label' is there twice"),
        ("", r"table.csv: the table is empty; it needs the columns path and label"),
        ("path,label\n", r"table.csv has no class, but a study needs two"),
        ("path,label\na/0.png,x\n", r"table.csv has the class 'x' only, but a study needs two"),
        ("path,label\n\na/0.png\n", r"1 row cannot be used; .*\n  line 3: 1 values for 2 columns"),
        ("path,label\na/0.png,a,b\n", r"line 2: 3 values for 2 columns"),
        ("path,label\na/0.png,\n", r"line 2: the label is empty"),
        ("path,label\n,x\n", r"line 2: the path is empty"),
        ("path,label\na/0.png,x\n./a/0.png,y\n", r"line 3: 'a/0.png' is in line 2 already"),
        ('path,label\n"a\n/0.png",\na/0.png,\n', r"line 2: the .*\n  line 4: the label is empty"),
        ("path,label,split\na/0.png,x,dev\n", r"line 2: the split 'dev' is unknown; use train"),
        (
            "path,label,split\na/0.png,x,train\na/1.png,x,\n",
            r"line 3: the split is empty, but other rows have one",
        ),
        ("path,label\n" + "a/0.png,\n" * 7, r"7 rows cannot .*(\n  line \d.*){5}\n  and 2 more$"),
        ('path,label\n"a/0.png,x\n', r"table.csv, line 2: not valid CSV"),
        ("path,label\na/\xe9.png,x\n", r"table.csv: not UTF-8 .*save it as CSV in UTF-8"),
    ],
)
def test_what_is_wrong_is_named_by_line(folder: Path, text: str, message: str) -> None:
    table = write(folder, text, "latin-1")
    with pytest.raises(DataError, match=message):
        manifest(table)


def test_missing_files(folder: Path) -> None:
    table = write(folder, "path,label\na/0.png,a\nb/0.png,b\nb/9.png,b\nb,b\n")
    message = r"2 of the 4 images that it names are no files; .*\"skip\":\n  .*/b/9.png\n  .*/b$"
    with pytest.raises(DataError, match=message):
        manifest(table)
    index = manifest(table, on_error="skip")
    assert facts(index).keys() == {"a/0.png", "b/0.png"}
    assert {file.id: file.reason for file in index.left_out} == {
        "b/9.png": "the file is missing",
        "b": "the file is missing",
    }
    table = write(folder, "path,label\na/0.png,a\na/1.png,c\nb/9.png,b\n")
    with pytest.raises(DataError, match=r"class 'b' has no image left: all its files are missing"):
        manifest(table, on_error="skip")


def test_no_table(folder: Path) -> None:
    for name, message in [("x.csv", "no such file"), ("a", "is a folder; name a .csv or .parquet")]:
        with pytest.raises(DataError, match=rf"data.path = '.*/{name}': {message}"):
            manifest(folder / name)
    with pytest.raises(DataError, match=r"0.png': the table must be a .csv or .parquet file"):
        manifest(folder / "a" / "0.png")


def test_groups_change_the_fingerprint_only_if_there_are_any(folder: Path) -> None:
    rows = ["a/0.png,a", "b/0.png,b"]
    plain = manifest(write(folder, "\n".join(["path,label", *rows]))).fingerprint()
    no_group = manifest(write(folder, "\n".join(["path,label,group", *(f"{r}," for r in rows)])))
    grouped = manifest(write(folder, "\n".join(["path,label,group", *(f"{r},g" for r in rows)])))
    assert no_group.fingerprint() == plain
    assert grouped.fingerprint() != plain


def write_parquet(folder: Path, **columns: object) -> Path:
    parquet.write_table(pa.table(columns), folder / "table.parquet")
    return folder / "table.parquet"


def test_parquet_says_what_csv_says(folder: Path) -> None:
    paths, splits, groups = ["a/0.png", "b/0.png"], ["train", "test"], ["g", None]
    table = write_parquet(
        folder,
        path=paths,
        label=pa.array(["x", "y"]).dictionary_encode(),
        split=splits,
        group=groups,
        image=[b"1", b"2"],
    )
    assert facts(manifest(table)) == facts(
        manifest(write(folder, "path,label,split,group\na/0.png,x,train,g\nb/0.png,y,test,\n"))
    )
    for labels in (np.array([9, 10]), np.array([9.0, 10.0]), np.array([9, 10], np.uint8)):
        assert manifest(write_parquet(folder, path=paths, label=labels)).classes == ("9", "10")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a/0.png"], "name": ["x"]}, r"no column 'label'; it has path, name"),
        ({"path": ["a/0.png"], "label": [0.5]}, r"row 0: the label 0.5 is neither text nor a whol"),
        ({"path": ["a/0.png"], "label": [float("nan")]}, r"row 0: the label is empty"),
        ({"path": ["a/0.png", None], "label": [1, 2]}, r"row 1: the path is empty"),
        ({"path": [1], "label": [1]}, r"row 0: the path 1 is no text"),
    ],
)
def test_what_is_wrong_is_named_by_row(folder: Path, columns: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        manifest(write_parquet(folder, **columns))


def test_damaged_parquet(folder: Path) -> None:
    (folder / "table.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"table.parquet: cannot be read as a Parquet table"):
        manifest(folder / "table.parquet")


def test_parquet_without_its_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_parquet(folder, path=["a/0.png", "b/0.png"], label=["a", "b"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # makes importing it fail
    with pytest.raises(DataError, match=r"pip install 'mixqual\[parquet\]'"):
        manifest(table)
    assert manifest(write(folder, "path,label\na/0.png,a\nb/0.png,b\n")).classes == ("a", "b")


def test_images_of_a_table_are_decoded(folder: Path, tmp_path: Path) -> None:
    table = write(folder, "path,label,group\nb/0.png,b,g\na/0.png,a,g\na/1.png,a,\n")
    index = manifest(table)
    settings = {"interpolation": "bilinear", "workers": 1, "on_error": "raise"}
    decode_images(index, tmp_path / "cache", size=35, **settings)
    images = open_images(tmp_path / "cache", 64)
    assert images.ids == ("b/0.png", "a/0.png", "a/1.png")
    assert images.groups == ("g", "g", None)
    middle = np.array(gray(4))[2:37, 2:37]  # of 40 pixels, a crop of 35 needs no resizing
    np.testing.assert_array_equal(images.pixels_NHWC[0, :, :, 0], middle)
