"""Names of files as a message or a table can show them."""

import unicodedata


def printable(name: str) -> str:
    r"""Return a name on one line: line breaks, control codes and stray bytes become \-escapes.

    Spaces of all kinds stay, as they move nothing but what follows.
    """
    if name.isprintable():
        return name
    return "".join(
        mark if mark.isprintable() or unicodedata.category(mark) == "Zs" else _escaped(mark)
        for mark in name
    )


def printable_lines(text: str) -> str:
    """Return a message of several lines, each of them as `printable` makes it."""
    return "\n".join(map(printable, text.split("\n")))


def _escaped(mark: str) -> str:
    return mark.encode("unicode_escape").decode()
