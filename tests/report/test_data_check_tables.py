from io import StringIO

from rich.console import Console

from mixqual.layout import to_csv, to_markdown, to_rich
from mixqual.report.data_check import data_check_tables


def sample(**changes: object) -> dict:
    report = {
        "source": "pets",
        "images": 6,
        "splits": "given",
        "classes": [
            {"class": "cat", "images": 4, "train": 3, "test": 1},
            {"class": "dog", "images": 2, "train": 1, "test": 1},
        ],
        "sizes": {
            "width": {"min": 20, "median": 20.0, "max": 50},
            "height": {"min": 30, "median": 30.5, "max": 33},
            "odd_aspect": 1,
            "odd_aspect_from": 2.0,
            "smaller_than_crop": 0,
        },
        "kinds": {"16_bit": 1, "colour": 2, "grayscale": 4},
        "formats": {"JPEG": 2, "PNG": 4},
        "duplicates": [],
        "across_splits": [],
        "across_classes": [],
        "wrong_suffixes": [],
        "unreadable": [],
        "left_out": [],
        "balance": {"smallest": "dog", "largest": "cat", "ratio": 2.0},
        "problems": [],
        "warnings": [],
    }
    return report | changes


def test_a_sound_set_has_two_tables() -> None:
    classes, images = data_check_tables(sample())
    assert classes.title == "pets: 6 images of 2 classes"
    assert classes.header == ("Class", "Images", "Train", "Test")
    assert classes.rows == (
        ("cat", "4", "3", "1"),
        ("dog", "2", "1", "1"),
        ("all", "6", "4", "2"),
    )
    assert (classes.warnings, classes.notes) == ((), ())
    assert to_csv(classes) == "class,images,train,test\ncat,4,3,1\ndog,2,1,1\n"
    assert images.rows == (
        ("width in pixels", "20 to 50, median 20"),
        ("height in pixels", "30 to 33, median 30.5"),
        ("longer than 2 to 1", "1"),
        ("grayscale", "4"),
        ("colour", "2"),
        ("with 16 bits", "1"),
        ("JPEG", "2"),
        ("PNG", "4"),
        ("largest to smallest class", "2.00 to 1"),
    )
    assert images.rules == (3, 6, 8)


def test_findings_are_named_and_the_rest_of_them_counted() -> None:
    leak = {"between": "splits", "id": "x.png", "place": "test", "twin": "y.png"}
    report = sample(
        across_splits=[leak | {"twin_place": "train", "what": "the same file"}],
        unreadable=[{"id": f"{n}\n.png", "reason": "the file is empty"} for n in range(12)],
        problems=["12 images cannot be read"],
        warnings=["3 other files are left out"],
    )
    classes, _, findings = data_check_tables(report)
    assert classes.warnings == ("PROBLEM: 12 images cannot be read",)
    assert classes.notes == ("3 other files are left out",)
    assert findings.rows[:2] == (
        ("in two splits", "x.png (test)", "y.png (train): the same file"),
        ("unreadable", r"0\n.png", "the file is empty"),
    )
    assert findings.rows[-1] == ("unreadable", "and 2 more", "")
    assert findings.rules == (1,)
    assert len(findings.records) == 13


def test_many_classes_are_cut_and_summed() -> None:
    many = [{"class": f"c{n}", "images": 2} for n in range(100)]
    classes, _ = data_check_tables(sample(classes=many, splits="none", images=200))
    assert len(classes.rows) == 41
    assert classes.rows[-1] == ("all", "200")
    assert "and 60 more classes; --json lists all" in classes.notes
    assert len(classes.records) == 100


def test_all_of_it_can_be_drawn() -> None:
    empty = sample(sizes={}, kinds={}, formats={}, images=0)
    empty["balance"] = empty["balance"] | {"ratio": None}
    for report in (sample(), empty):
        text = StringIO()
        for table in data_check_tables(report):
            Console(file=text, width=60).print(to_rich(table))
            text.write(to_markdown(table))
        assert "largest to smallest class" in text.getvalue()
