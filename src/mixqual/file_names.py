"""Names of files as a message or a table can show them."""


def printable(name: str) -> str:
    r"""Return a name on one line: line breaks, control codes and stray bytes become \-escapes."""
    if name.isprintable():
        return name
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in name
    )
