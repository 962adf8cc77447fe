"""Names of files as a message or a table can show them."""


def printable(name: str) -> str:
    r"""Return a name on one line: line breaks, control codes and stray bytes become \-escapes."""
    if name.isprintable():
        return name
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in name
    )


def printable_lines(text: str) -> str:
    """Return a message of several lines, each of them as `printable` makes it."""
    return "\n".join(map(printable, text.split("\n")))
