"""The error of a file that is no image, or cannot be used as one."""


class Unreadable(Exception):
    """An image file cannot be decoded; the text says why, without the file's name."""


class TooLarge(Unreadable):
    """Decoding would take too much; the text says what, and what to do."""
