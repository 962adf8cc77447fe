"""The tables of `mixqual data check`: classes and splits, kinds of images, and what is wrong."""

from collections.abc import Iterator, Mapping
from typing import Any

from mixqual.counting import counted
from mixqual.file_names import printable
from mixqual.layout import Align, Table, Value

_ROWS = 40  # of classes
_EACH = 10  # findings of one sort; --json has all

_KINDS = {
    "grayscale": "grayscale",
    "colour": "colour",
    "palette": "with a palette",
    "cmyk": "CMYK",
    "16_bit": "with 16 bits",
    "transparent": "with transparency",
    "exif_turned": "turned or mirrored by EXIF",
    "animated": "with several frames or pages",
}


def data_check_tables(report: Mapping[str, Any]) -> tuple[Table, ...]:
    """Two tables for any set of images, and a third if there are files to name."""
    findings = list(_findings(report))
    tables = (_class_table(report), _image_table(report))
    return (*tables, _finding_table(findings)) if findings else tables


def _class_table(report: Mapping[str, Any]) -> Table:
    classes = report["classes"]
    columns = [column for column in classes[0] if column != "class"]
    total: dict[str, Value] = {column: sum(row[column] for row in classes) for column in columns}
    shown = [*classes[:_ROWS], {"class": "all", **total}]
    align: list[Align] = ["right"] * len(columns)
    notes = [*report["warnings"]]
    if len(classes) > _ROWS:
        notes.append(f"and {len(classes) - _ROWS} more classes; --json lists all")
    if report["splits"] == "none":
        notes.append(
            "no splits: the source gives none, and a study file would say how to draw them"
        )
    counts = f"{counted(report['images'], 'image')} of {counted(len(classes), 'class')}"
    return Table(
        title=f"{report['source']}: {counts}",
        header=("Class", *(column.capitalize() for column in columns)),
        rows=tuple(
            (printable(row["class"]), *(str(row[column]) for column in columns)) for row in shown
        ),
        align=("left", *align),
        fields=("class", *columns),
        records=tuple((row["class"], *(row[column] for column in columns)) for row in classes),
        rules=(len(shown) - 1,),
        notes=tuple(map(printable, notes)),
        warnings=tuple(f"PROBLEM: {printable(text)}" for text in report["problems"]),
    )


def _image_table(report: Mapping[str, Any]) -> Table:
    sizes = report["sizes"]
    rows: list[tuple[str, str]] = []
    for side in ("width", "height") if sizes else ():
        spread = sizes[side]
        text = f"{spread['min']} to {spread['max']}, median {spread['median']:g}"
        rows.append((f"{side} in pixels", text))
    if sizes:
        rows.append((f"longer than {sizes['odd_aspect_from']:g} to 1", str(sizes["odd_aspect"])))
    ruled = len(rows)
    rows += [(_KINDS[kind], str(n)) for kind, n in _in_order(report["kinds"])]
    rules = [ruled, len(rows)]
    rows += [(name, str(count)) for name, count in report["formats"].items()]
    ratio = report["balance"]["ratio"]
    rules.append(len(rows))
    rows.append(("largest to smallest class", "–" if ratio is None else f"{ratio:.2f} to 1"))
    return Table(
        title="Images",
        header=("", "Images"),
        rows=tuple(rows),
        align=("left", "right"),
        fields=("what", "value"),
        records=tuple(rows),
        rules=tuple(rule for rule in dict.fromkeys(rules) if 0 < rule < len(rows)),
    )


def _in_order(kinds: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((kind, kinds[kind]) for kind in _KINDS if kind in kinds)


def _findings(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Sort, image and explanation of everything that names a file."""
    for sort, title in (("across_splits", "in two splits"), ("across_classes", "in two classes")):
        for leak in report[sort]:
            twin = f"{leak['twin']} ({leak['twin_place']}): {leak['what']}"
            yield title, f"{leak['id']} ({leak['place']})", twin
    for sort, title in (
        ("unreadable", "unreadable"),
        ("wrong_suffixes", "wrong suffix"),
        ("left_out", "left out"),
    ):
        for file in report[sort]:
            yield title, file["id"], file["reason"]
    for copy in report["duplicates"]:
        yield "copy", copy["id"], f"{copy['twin']}: {copy['what']}"


def _finding_table(findings: list[tuple[str, str, str]]) -> Table:
    rows: list[tuple[str, str, str]] = []
    rules: list[int] = []
    for sort in dict.fromkeys(sort for sort, _, _ in findings):
        rules.append(len(rows))
        some = [finding for finding in findings if finding[0] == sort]
        rows += [(sort, printable(name), printable(why)) for _, name, why in some[:_EACH]]
        if len(some) > _EACH:
            rows.append((sort, f"and {len(some) - _EACH} more", ""))
    return Table(
        title="Findings",
        header=("What", "Image", "Why"),
        rows=tuple(rows),
        align=("left", "left", "left"),
        fields=("what", "id", "why"),
        records=tuple(findings),
        rules=tuple(rules[1:]),
    )
