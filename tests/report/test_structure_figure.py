import json
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from report_samples import Results
from staged_samples import GATE, SINGLE, parts, staged_results

from mixqual.report import figure_6
from mixqual.report.labels import figure_label
from mixqual.report.structure_figure import count_text
from mixqual.report.style import line_styles

COMMITTED = Path(__file__).parents[2] / "results"


def told(figure: Figure) -> dict[str, str]:
    """What is written in each part, by its id."""
    texts = figure.axes[0].texts
    return {str(text.get_gid()): text.get_text() for text in texts if text.get_gid()}


def expected(results: Results) -> dict[str, int]:
    """The parameters of every part, from the stages."""
    experts = results["experts"]
    counts = {"mix:all": results["cost"]["mix"]["params"], "mix:gate": GATE}
    counts |= {"avg:all": len(experts) * SINGLE}  # without a gate
    counts |= {f"{model}:{expert}": SINGLE for model in ("avg", "mix") for expert in experts}
    for tree in results["trees"]:
        model = tree["model"]
        before, own, after = parts(tree)
        counts |= {f"{model}:all": results["cost"][model]["params"], f"{model}:gate": GATE}
        counts |= {f"{model}:{expert}": own for expert in experts}
        counts |= {f"{model}:first": before} if tree["until"] else {}
        counts |= {f"{model}:last": after} if tree["from"] else {}
    return counts


@pytest.mark.parametrize("experts", [2, 3, 8])
def test_every_part_of_every_mixture_is_drawn_once_with_its_parameters(experts: int) -> None:
    results = staged_results(experts)
    found, counts = told(figure_6(results)), expected(results)
    assert found.keys() == counts.keys()
    for part, text in found.items():
        number = text.removesuffix(" parameters").splitlines()[-1]
        assert number == count_text(counts[part])
    for expert in results["experts"]:
        assert found[f"mix:{expert}"].startswith(figure_label(expert))
    assert found["tree_blocks.5_resolved:gate"].startswith("own gate")


@pytest.mark.parametrize(
    ("params", "text"),
    [(3_376_132, "3.38 M"), (134_840_000, "134.84 M"), (700_768, "701 k"), (98_531, "98.5 k")],
)
def test_counts_by_hand(params: int, text: str) -> None:
    assert count_text(params) == text


@pytest.mark.parametrize("experts", [2, 3, 8])
def test_the_average_is_drawn_as_the_mixture_without_its_gate(experts: int) -> None:
    """The paper's panels (a) and (b): every expert, and what joins them, at the same place."""
    (axes,) = figure_6(staged_results(experts)).axes
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("average probabilities") == 1
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    # From above: an image, for M_mix a gate, the experts, and what joins them.
    average, mixture = boxes[: experts + 2], boxes[experts + 2 : 2 * experts + 5]
    across, down = (
        getattr(mixture[-1], get)() - getattr(average[-1], get)() for get in ("get_x", "get_y")
    )
    assert down < 0 or across > 0
    for one, other in zip(average[1:], mixture[2:], strict=True):
        left, low, *size = one.get_bbox().bounds
        expected = (left + across, low + down, *size)
        assert other.get_bbox().bounds == pytest.approx(expected)
    assert average[0].get_width() == pytest.approx(average[-1].get_width())
    assert mixture[0].get_width() > mixture[-1].get_width()


def test_older_results_say_what_two_shared_parts_have_together() -> None:
    results = staged_results()
    del results["stages"]
    model = "tree_blocks.1_inverted_blocks.6"
    before, _, after = parts({"until": "blocks.1", "from": "blocks.6"})
    found = told(figure_6(results))
    for part in ("first", "last"):
        assert found[f"{model}:{part}"].endswith(f"{count_text(before + after)} first and last")


def test_an_expert_has_the_colour_that_it_has_in_all_figures() -> None:
    results = staged_results()
    styles = line_styles(results)
    (axes,) = figure_6(results).axes
    edges = [patch.get_edgecolor() for patch in axes.patches if isinstance(patch, Rectangle)]
    for expert in results["experts"]:
        color = styles[expert].color
        mixtures = 2 + len(results["trees"])
        bars = mixtures if expert == "clean" else 0  # what mixes is black as well
        assert sum(same_color(edge, color) for edge in edges) == mixtures + bars


def test_stages_are_parted_by_lines_where_the_results_have_them() -> None:
    results = staged_results()
    (axes,) = figure_6(results).axes
    lines = sum(len(group.get_segments()) for group in axes.collections)
    # Shared parts and the part of each expert, in stages, counted by hand.
    mixtures = [([], 6), ([], 6), ([2], 4), ([3], 3), ([3], 3), ([1], 5), ([1, 2], 3)]
    between = [sum(n - 1 for n in shared) + 3 * (own - 1) for shared, own in mixtures]
    assert lines == sum(between)
    del results["stages"]
    assert not figure_6(results).axes[0].collections


@pytest.mark.parametrize("experts", [2, 3, 8])
@pytest.mark.parametrize("long", [False, True])
def test_texts_neither_overlap_nor_leave_the_figure(experts: int, long: bool) -> None:
    results = staged_results(experts)
    if long:
        stages = {stage["name"]: stage for stage in results["stages"]}
        stages["blocks.5"]["name"] = "a.very.long.name.of.a.module.0"
        for tree in results["trees"]:
            if tree["until"] == "blocks.5":
                tree["until"] = "a.very.long.name.of.a.module.0"
    figure = figure_6(results)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert len(boxes) > 20
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]


def test_on_a_phone_text_is_high_enough_to_be_read() -> None:
    """At a width of 390 pixels, letters of at least 8 pixels."""
    results = json.loads((COMMITTED / "elpv_trees" / "results.json").read_text())
    figure = figure_6(results)
    scale = 390 / figure.get_figwidth()
    sizes = {text.get_fontsize() / 72 * scale for text in figure.axes[0].texts if text.get_text()}
    assert min(sizes) >= 8
