"""Names as a figure can show them: in the glyphs that its font has, and not as mathematics."""

from functools import cache

from matplotlib import font_manager

from mixqual.file_names import printable

FAMILY = "DejaVu Sans"
"""The font of all figures; it comes with matplotlib, so every machine draws the same."""


def drawable(name: str) -> str:
    r"""Return a name that draws as it reads: what has no glyph becomes a \-escape."""
    known = _glyphs()
    marks = (
        mark if ord(mark) in known else mark.encode("unicode_escape").decode()
        for mark in printable(name)
    )
    return "".join(marks).replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    """The characters that the font has."""
    font = font_manager.get_font(font_manager.findfont(FAMILY))
    return frozenset(font.get_charmap())
