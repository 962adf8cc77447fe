"""The looks of models on the page."""

import pytest
from report_samples import sample_results

from mixqual.report.page.models import model_groups, model_looks
from mixqual.report.style import line_styles


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_colours_are_those_of_the_figures() -> None:
    results = sample_results(trees=True)
    looks = model_looks(results)
    for model, style in line_styles(results).items():
        assert looks[model].light == style.color


def test_no_two_of_many_models_look_the_same() -> None:
    results = sample_results(experts=8, trees=True)
    looks = model_looks(results).values()
    assert len({(look.light, look.symbol, look.dash) for look in looks}) == len(looks) > 25


@pytest.mark.parametrize("experts", [3, 8])
def test_every_colour_stands_out_from_the_dark_surface(experts: int) -> None:
    """3 to 1, what WCAG 2.2 asks of graphics; the surface is #171c23 of style.css."""
    for look in model_looks(sample_results(experts=experts)).values():
        assert (luminance(look.dark) + 0.05) / (luminance("#171c23") + 0.05) > 3


def test_groups_have_every_model_once() -> None:
    results = sample_results(trees=True)
    groups = model_groups(results)
    models = [look.model for group in groups for look in group.looks]
    assert sorted(models) == sorted(results["models"])
    assert [group.title for group in groups if not group.open] == [
        "Trees",
        "Controls of trees",
        "Ceilings",
    ]
    assert "Trees" not in [group.title for group in model_groups(sample_results())]
