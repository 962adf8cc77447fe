import csv
import io

import pytest
from report_samples import sample_results

from mixqual.report import to_csv
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


def test_odd_sizes_are_rounded_down_by_pooling() -> None:
    rows = gate_table(sample_results(size=75)).rows
    assert [row[2] for row in rows if row[0] == "Max pooling"] == [
        *("37×37×16", "18×18×32", "9×9×64", "4×4×64")
    ]
