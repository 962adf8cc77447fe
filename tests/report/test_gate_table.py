import csv
import io

import pytest
from report_samples import sample_results

from mixqual.layout import to_csv
from mixqual.report.gate_table import gate_table


def test_is_the_paper_s_for_three_experts() -> None:
    """Its gate has 98.5 thousand parameters, and four poolings."""
    table = gate_table(sample_results(size=224))
    assert table.rows[-1] == ("All", "", "", "98,531")
    assert [row[2] for row in table.rows if row[0] == "Max pooling"] == [
        *("112×112×16", "56×56×32", "28×28×64", "14×14×64")
    ]
    assert table.rows[-2] == ("Global average pooling, softmax", "14×14", "1×1×3", "")


@pytest.mark.parametrize("experts", [2, 3, 8])
def test_layers_add_up_to_the_gate_that_the_costs_have(experts: int) -> None:
    """Each expert is one more map of 16 weights and a bias."""
    rows = list(csv.DictReader(io.StringIO(to_csv(gate_table(sample_results(experts=experts))))))
    total = sum(int(row["params"] or 0) for row in rows)
    assert total == 98_531 + 17 * (experts - 3)


@pytest.mark.parametrize(("size", "side"), [(224, 32), (24, 24)])
def test_a_patch_gate_is_told_apart_from_the_paper_s(size: int, side: int) -> None:
    results = sample_results(size=size)
    results["provenance"]["gate"] = "patch"
    table = gate_table(results)
    assert table.title == "sample: the gating network (patch)"
    assert (
        f"not the paper's of Table 1: it looks at the central {side}×{side} pixels"
        in (table.notes[0])
    )
    assert table.rows[-1] == ("All", "", "", "24,675")
    assert table.rows[0] == ("Input", "", f"{side}×{side}×3", "")
    sides = [row[2] for row in table.rows if row[0] == "Max pooling"]
    assert sides == [f"{side // 2}×{side // 2}×16", f"{side // 4}×{side // 4}×32"]
    results["provenance"]["gate"] = "paper"
    assert gate_table(results) == gate_table(sample_results(size=size))


def test_odd_sizes_are_rounded_down_by_pooling() -> None:
    rows = gate_table(sample_results(size=75)).rows
    assert [row[2] for row in rows if row[0] == "Max pooling"] == [
        *("37×37×16", "18×18×32", "9×9×64", "4×4×64")
    ]
