"""Counts in words."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 image", "3 images" or "2 classes"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"
