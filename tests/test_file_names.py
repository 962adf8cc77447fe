import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.file_names import printable, printable_lines


def test_names_that_can_be_printed_stay_and_others_are_escaped() -> None:
    for name, shown in (
        ("a/b c.png", "a/b c.png"),
        ("écran 写真.png", "écran 写真.png"),
        ("35\u00a0%\u3000", "35\u00a0%\u3000"),
        ("a\nb\r\t.png", r"a\nb\r\t.png"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\udcff.png", r"\udcff.png"),
        ("\u202egnp.x", r"\u202egnp.x"),
    ):
        assert printable(name) == shown


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_the_result_is_one_printable_line(name: str) -> None:
    left = [mark for mark in printable(name) if not mark.isprintable()]
    assert all(unicodedata.category(mark) == "Zs" for mark in left)


def test_a_message_keeps_its_lines() -> None:
    assert printable_lines("two:\n  a\tb\n  \x1b[31m") == "two:\n  a\\tb\n  \\x1b[31m"
