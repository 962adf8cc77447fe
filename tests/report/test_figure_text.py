"""Names in figures: whatever they are, matplotlib draws them without a word."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mixqual.report.figure_text import drawable
from mixqual.report.style import house_style


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dög cat_2", "dög cat_2"),
        ("a\tb\n\x1b[31m", r"a\tb\n\x1b[31m"),
        ("犬", r"\u72ac"),
        ("$x$", r"\$x\$"),
        ("σ ± 3 µm", "σ ± 3 µm"),
    ],
)
def test_what_has_a_glyph_stays(name: str, shown: str) -> None:
    assert drawable(name) == shown


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=8))
def test_any_name_is_drawn_without_a_warning(name: str) -> None:
    """Warnings are errors in tests: that of a glyph that is missing, and of mathematics."""
    with house_style():
        figure = Figure(figsize=(2, 1))
        figure.text(0.5, 0.5, drawable(name))
        figure.savefig(io.BytesIO(), format="png", dpi=20)
