"""What cells are sorted by."""

import pytest

from mixqual.layout import Table
from mixqual.report.page.grids import grid, number_in

TABLE = Table(
    title="Small",
    header=("Model", "AUC", "Verdict", "Cost", ""),
    rows=(
        ("a", "−0.092 [−0.102, −0.081]", "lower", "10.5", "–"),
        ("b [c]", "+0.006 [0.000, +0.012]", "higher", "–", "–"),
        ("c", "37 % (30.0 %)", "2 better", "9", "x"),
    ),
    align=("left", "right", "left", "right", "left"),
    fields=(),
    records=(),
    rules=(1,),
)


def test_numbers_are_sorted_as_numbers_and_texts_as_texts() -> None:
    made = grid(TABLE, "small")
    assert [column.numeric for column in made.columns] == [False, True, False, True, False]
    assert [row[1].key for row in made.rows] == ["-0.092", "0.006", "37.0"]
    assert [row[2].key for row in made.rows] == ["lower", "higher", "2 better"]
    assert [row[3].key for row in made.rows] == ["10.5", "", "9.0"]


def test_an_interval_goes_to_a_second_line() -> None:
    made = grid(TABLE, "small")
    cells = [row[1] for row in made.rows]
    assert [(cell.text, cell.interval) for cell in cells] == [
        ("−0.092", "[−0.102, −0.081]"),
        ("+0.006", "[0.000, +0.012]"),
        ("37 % (30.0 %)", ""),
    ]
    assert [" ".join(filter(None, (c.text, c.interval))) for c in cells] == [
        row[1] for row in TABLE.rows
    ]


def test_every_column_has_a_title_to_press() -> None:
    assert all(column.title for column in grid(TABLE, "small").columns)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.5", 0.5),
        ("> 100", 100.0),
        ("< 10", 10.0),
        (">", None),
        ("−1e-3", None),
        ("1e-10", 1e-10),
        ("+12", 12.0),
        ("σ 3", None),
        ("", None),
    ],
)
def test_number_in(text: str, number: float | None) -> None:
    assert number_in(text) == (-1e-3 if text == "−1e-3" else number)
