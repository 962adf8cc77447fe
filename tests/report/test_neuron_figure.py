"""The drawing and the table of neurons, from made-up images."""

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray

from mixqual.layout import to_csv
from mixqual.report import figure_3, neurons_table, write_neurons

EXPERTS = ("clean", "noise", "blur")
UNITS = (3, 8, 21, 40)
OFF = {("clean", 8), ("blur", 3), ("blur", 40)}


def sample(experts: tuple[str, ...] = EXPERTS) -> tuple[dict[str, Any], dict[str, Any]]:
    """Neurons that were raised 5, 6, 7 and 8-fold, but for those that are off."""
    found = {
        expert: [
            {"unit": unit, "start": 0.25, "end": 0.25, "ratio": 1.0, "off": True}
            if (expert, unit) in OFF
            else {"unit": unit, "start": 0.5, "end": fold / 2, "ratio": float(fold), "off": False}
            for fold, unit in enumerate(UNITS, start=5)
        ]
        for expert in experts
    }
    neurons = {
        "run": "sample",
        "stage": "conv5_1",
        "form": "plain",
        "steps": 9,
        "size": 16,
        "units": list(UNITS),
        "clean": "clean",
        "rules": {"off": "it stays", "ratio": "end / start"},
        "neurons": found,
    }
    images = {
        expert: np.random.default_rng(number).integers(0, 256, (len(UNITS), 16, 16, 3), np.uint8)
        for number, expert in enumerate(experts)
    }
    return neurons, images


def test_rows_are_experts_and_columns_units() -> None:
    neurons, images = sample()
    axes = np.array(figure_3(neurons, images).axes).reshape(len(EXPERTS), len(UNITS))
    for row, expert in enumerate(EXPERTS):
        assert axes[row, 0].get_ylabel() == rf"$M_{{\mathrm{{{expert}}}}}$"
        for column, unit in enumerate(UNITS):
            drawn: list[NDArray[np.uint8]] = [i.get_array() for i in axes[row, column].images]
            texts = [text.get_text() for text in axes[row, column].texts]
            if (expert, unit) in OFF:
                assert (drawn, texts) == ([], ["off"])
                assert axes[row, column].get_xlabel() == ""
            else:
                assert texts == []
                assert np.array_equal(drawn[0], images[expert][column])
                assert axes[row, column].get_xlabel() == f"×{5 + column}.0"
    assert [cell.get_title() for cell in axes[0]] == [f"unit {unit}" for unit in UNITS]


@pytest.mark.parametrize("experts", [EXPERTS, ("clean", "motion_blur_and_noise")])
def test_cells_do_not_overlap_and_the_figure_holds_them(experts: tuple[str, ...]) -> None:
    figure = figure_3(*sample(experts))
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    page = figure.bbox
    for box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1 + 1
        assert page.y0 <= box.y0 < box.y1 <= page.y1 + 1
    cells = [axes.get_window_extent() for axes in figure.axes]
    for number, one in enumerate(cells):
        assert one.width == pytest.approx(one.height, rel=0.02)
        assert not any(one.overlaps(other) for other in cells[number + 1 :])


def test_of_many_units_the_first_are_drawn_and_all_counted(tmp_path: Path) -> None:
    neurons, images = sample(("clean",))
    rows = [dict(row, unit=unit) for unit, row in enumerate(9 * neurons["neurons"]["clean"])]
    many = {"units": list(range(36)), "neurons": {"clean": rows}}
    write_neurons(neurons | many, {"clean": np.tile(images["clean"], (9, 1, 1, 1))}, tmp_path)
    figure = figure_3(neurons | many, {"clean": np.tile(images["clean"], (9, 1, 1, 1))})
    assert [axes.get_title() for axes in figure.axes] == [f"unit {unit}" for unit in range(32)]
    assert "32 of 36 units" in figure.get_supxlabel()
    assert "units" not in figure_3(neurons, images).get_supxlabel()
    assert (tmp_path / "fig3.csv").read_text().count("\n") == 1 + 36
    assert neurons_table(neurons | many).rows[0][1:3] == ("36", "9")


def test_files_have_the_numbers_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    neurons, images = sample()
    first = write_neurons(neurons, images, tmp_path / "one")
    with matplotlib.rc_context({"svg.hashsalt": None, "font.size": 20, "savefig.dpi": 20}):
        second = write_neurons(neurons, images, tmp_path / "two")
    assert [path.name for path in first] == ["fig3.json", "fig3.csv", "fig3.svg", "fig3.png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert json.loads(first[0].read_text()) == neurons
    with first[1].open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["expert", "unit", "start", "end", "ratio", "off"]
    assert len(rows) == len(EXPERTS) * len(UNITS)
    assert {(row["expert"], int(row["unit"])) for row in rows if row["off"] == "true"} == OFF
    assert [float(row["ratio"]) for row in rows if row["expert"] == "noise"] == [5, 6, 7, 8]


def test_the_table_counts_units_that_are_off_and_tells_of_the_others() -> None:
    neurons, _ = sample()
    assert neurons_table(neurons).rows == (
        ("M_clean", "4", "1", "–", "–", "×5.0", "×7.0"),
        ("M_noise", "4", "0", "0", "1", "×5.0", "×6.5"),
        ("M_blur", "4", "2", "2", "1", "×6.0", "×6.5"),
    )
    assert any("off here, but not in M_clean" in note for note in neurons_table(neurons).notes)


def test_without_an_expert_that_the_others_began_from_none_is_said_to_have_turned() -> None:
    """As in a study in which each expert begins anew, and in results that do not tell."""
    neurons, _ = sample()
    table = neurons_table(neurons | {"clean": None})
    assert table.header == ("Expert", "Units", "Off", "Raised at least", "Median")
    assert table.rows[2] == ("M_blur", "4", "2", "×6.0", "×6.5")
    assert not any("fine-tuning" in note for note in table.notes)


def test_what_turned_off_and_on_is_the_whole_change_of_those_that_are_off() -> None:
    neurons, _ = sample()
    off = {row[0]: int(row[2]) for row in neurons_table(neurons).rows}
    for name, _, _, turned_off, turned_on, *_ in neurons_table(neurons).rows[1:]:
        assert int(turned_off) - int(turned_on) == off[name] - off["M_clean"]


def test_an_expert_with_all_units_off_has_no_ratio() -> None:
    neurons, _ = sample(("clean",))
    for neuron in neurons["neurons"]["clean"]:
        neuron |= {"off": True, "ratio": 1.0}
    table = neurons_table(neurons)
    assert table.rows == (("M_clean", "4", "4", "–", "–", "–", "–"),)
    assert to_csv(table).count("true") == 4
