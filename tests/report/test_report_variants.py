import csv
import io
from typing import Any

from mixqual.layout import to_csv, to_markdown
from mixqual.report import cost_table

SINGLE = {"variant": "single", "branch": "", "params": 134_838_000, "macs": 15_466_000_000}
ROWS: list[dict[str, Any]] = [
    SINGLE,
    {"variant": "independent", "branch": "", "params": 404_612_531, "macs": 46_572_100_000},
    {"variant": "treenet", "branch": "conv2_1", "params": 404_535_091, "macs": 42_699_000_000},
    {"variant": "treenet", "branch": "fc8", "params": 136_095_531, "macs": 15_641_400_000},
    {"variant": "inverted", "branch": "fc6", "params": 164_365_195, "macs": 46_333_000_000},
]


def test_cells_written_by_hand() -> None:
    table = cost_table("vgg16", ROWS)
    assert table.title == "vgg16"
    assert table.header == ("Variant", "Branch", "Params (M)", "MACs (G)", "× single")
    assert table.rows == (
        ("one network", "", "134.838", "15.466", "1.00"),
        ("mixture, nothing shared", "", "404.613", "46.572", "3.01"),
        ("TreeNet", "conv2_1", "404.535", "42.699", "2.76"),
        ("TreeNet", "fc8", "136.096", "15.641", "1.01"),
        ("Inverted-TreeNet", "fc6", "164.365", "46.333", "3.00"),
    )
    assert table.align == ("left", "left", "right", "right", "right")


def test_rules_part_the_kinds() -> None:
    assert cost_table("", ROWS).rules == (1, 2, 4)
    assert cost_table("", ROWS[:2]).rules == (1,)


def test_latencies_have_a_column_where_they_were_measured() -> None:
    timed = [{**row, "latency_ms": 12.345 * (index + 1)} for index, row in enumerate(ROWS)]
    table = cost_table("", timed)
    assert table.header[-1] == "Latency (ms)"
    assert [row[-1] for row in table.rows] == ["12.35", "24.69", "37.04", "49.38", "61.73"]
    untimed = cost_table("", ROWS)
    assert [row[:-1] for row in table.rows] == list(untimed.rows)
    assert table.align == (*untimed.align, "right")


def test_csv_reads_back_to_the_same_numbers() -> None:
    timed = [{**row, "latency_ms": 1 / 3} for row in ROWS]
    for rows in (ROWS, timed):
        read = list(csv.DictReader(io.StringIO(to_csv(cost_table("", rows)))))
        for found, row in zip(read, rows, strict=True):
            assert found.keys() == row.keys()
            assert (found["variant"], found["branch"]) == (row["variant"], row["branch"])
            assert (int(found["params"]), int(found["macs"])) == (row["params"], row["macs"])
            assert float(found.get("latency_ms", 0)) == row.get("latency_ms", 0)


def test_markdown_has_as_many_cells_in_each_line() -> None:
    for rows in (ROWS, [{**row, "latency_ms": 1.0} for row in ROWS]):
        lines = [line for line in to_markdown(cost_table("t", rows)).splitlines() if "|" in line]
        # A header, its dashes, the rows, and a rule before each kind but the first.
        assert len(lines) == 2 + len(rows) + 3
        assert {line.count("|") for line in lines} == {6 if rows is ROWS else 7}
