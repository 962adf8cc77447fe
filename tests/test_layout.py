import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import sample_results
from rich.console import Console

from mixqual.layout import Table, to_csv, to_markdown, to_rich
from mixqual.report import auc_table, comparisons_table

SMALL = Table(
    title="Small",
    header=("Model", "AUC"),
    rows=(("a|b", "0.1 [0.0, 0.2]"), ("[red]c", "1.0")),
    align=("left", "right"),
    fields=("model", "auc"),
    records=(("a,b", 0.1 + 0.2), ("c", None)),
    rules=(1,),
    notes=("A note [0, 1].",),
    warnings=("BEWARE",),
)


def drawn(table: Table, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(to_rich(table))
    return capture.get()


def test_markdown_by_hand() -> None:
    assert to_markdown(SMALL) == (
        "## Small\n"
        "\n"
        "> **BEWARE**\n"
        "\n"
        "| Model  |            AUC |\n"
        "| ------ | -------------: |\n"
        "| a\\|b   | 0.1 [0.0, 0.2] |\n"
        "|        |                |\n"
        "| [red]c |            1.0 |\n"
        "\n"
        "- A note [0, 1].\n"
    )


def test_csv_by_hand() -> None:
    assert to_csv(SMALL) == 'model,auc\n"a,b",0.30000000000000004\nc,\n'


def test_terminal_by_hand() -> None:
    lines = [line.strip() for line in drawn(SMALL, 40).splitlines()]
    rule = "─" * 22
    assert lines == [
        "Small",
        "BEWARE",
        rule,
        "Model              AUC",
        rule,
        "a|b     0.1 [0.0, 0.2]",
        rule,
        "[red]c             1.0",
        rule,
        "· A note [0, 1].",
    ]


@pytest.mark.parametrize("width", [60, 80, 120, 300])
@pytest.mark.parametrize("distortions", [1, 3])
def test_no_cell_is_cut_at_any_width(width: int, distortions: int) -> None:
    results = sample_results(distortions)
    for table in (auc_table(results), comparisons_table(results)):
        text = drawn(table, width)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= width
        for row in table.rows:
            numbers = [cell for cell in row[1:] if cell != "–"]
            assert all(cell in text for cell in numbers)
    assert (text.count("M_clean") == 1) == (width == 300 or (width == 120 and distortions == 1))


def test_markdown_has_as_many_cells_in_each_row() -> None:
    for distortions in (1, 6):
        table = auc_table(sample_results(distortions))
        lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
        assert len(lines) == 2 + len(table.rows) + len(table.rules)
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.header) + 1}


def test_a_warning_is_drawn_before_the_table() -> None:
    table = auc_table(sample_results(gate_works=False))
    for text in (to_markdown(table), drawn(table, 80)):
        assert text.index("THE GATE HAS FAILED") < text.index("M_clean")


def test_key_columns_are_repeated_where_a_terminal_is_too_narrow() -> None:
    table = replace(SMALL, header=("Run", "Model", "AUC", "Cost"), keys=2, align=("left",) * 4)
    table = replace(table, rows=(("one", "M_a", "0.123456", "1"), ("two", "M_b", "0.2", "22")))
    rows = [line.split() for line in drawn(table, 24).splitlines() if "M_" in line]
    assert rows == [
        ["one", "M_a", "0.123456"],
        ["two", "M_b", "0.2"],
        ["one", "M_a", "1"],
        ["two", "M_b", "22"],
    ]


def test_a_row_keeps_its_name_whatever_tells_it_apart() -> None:
    """The first column says the same of both rows here, and so the second is repeated as well."""
    table = replace(SMALL, header=("What", "Level", "Accuracy", "Cost"), align=("left",) * 4)
    table = replace(table, rows=(("blur", "1", "0.123456", "1"), ("blur", "2", "0.2", "22")))
    rows = [line.split() for line in drawn(table, 24).splitlines() if "blur" in line]
    assert rows == [
        ["blur", "1", "0.123456"],
        ["blur", "2", "0.2"],
        ["blur", "1", "1"],
        ["blur", "2", "22"],
    ]


def test_what_is_wider_than_a_line_goes_on_below_and_is_not_cut() -> None:
    name, why = "a-very-long-name/" * 3, "it cannot be read for a reason of many words"
    table = replace(SMALL, header=("What", "Image", "Why"), align=("left",) * 3)
    table = replace(table, rows=(("bad", name, why), ("bad", "b.png", why)), rules=())
    text = drawn(table, 40)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 40
    letters = Counter(re.sub(r"\s", "", text))
    assert letters >= Counter(re.sub(r"\s", "", name + why + why))


@given(st.text("ab\t\n\r\x1b\x07\x9b[]\u202e", min_size=1, max_size=12))
def test_names_reach_no_reader_with_codes_in_them(name: str) -> None:
    table = replace(
        SMALL, title=name, header=(name,) * len(SMALL.header), notes=(name,), warnings=(name,)
    )
    table = replace(table, rows=tuple((name, *row[1:]) for row in SMALL.rows))
    for text in (drawn(table, 80), to_markdown(table)):
        assert all(line.isprintable() for line in text.split("\n"))
