"""Counts in words."""

_OF_ONE = {"are": "is", "have": "has", "were": "was"}


def counted(number: int, noun: str, verb: str = "") -> str:
    """Return a number with its noun, and a verb as of many: "1 image is", "2 classes are"."""
    if number == 1:
        return f"1 {noun} {_OF_ONE.get(verb, verb)}".rstrip()
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'} {verb}".rstrip()
